// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "common/file.h"
#include "common/one/progress.h"
#include "common/qcow2/stream.h"
#include "datastore/lib/header.h"
#include "datastore/lib/output.h"
#include "datastore/restic/lib/dump.h"
#include "datastore/restic/lib/scratch.h"
#include "datastore/restic/lib/stored.h"
#include "datastore/restic/lib/streams.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

// Counts what goes to stdout.
class Counted {
 public:
  explicit Counted(std::uint64_t total) : progress_{"restore", total} {}
  void operator()(std::span<const std::byte> bytes) {
    out_.write(bytes);
    done_ += bytes.size();
    progress_.at(done_);
  }

 private:
  Output out_;
  Progress progress_;
  std::uint64_t done_ = 0;
};

void stream_file(const fs::path& file) {
  const auto in = open_file(file, O_RDONLY);
  Counted sink{fs::file_size(file)};
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  while (const auto n = read_some(in.get(), buffer, file)) sink({buffer.data(), n});
}

// As it is, but through our hands: restic would not outlive a reader who goes early, and leave its
// lock.  Nothing of an image goes out before its header is known to name no other file.
enum class Check { image, nothing };
void pass_on(const Restic& restic, const StoredFile& stored, Check check) {
  Dump dump{restic, stored.snapshot, stored.path};
  Counted sink{0};
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  std::size_t held = 0;
  while (check == Check::image && held < header_size) {
    const auto n = dump.read(std::span{buffer}.subspan(held));
    held += n;
    if (n == 0) break;
  }
  const auto start = std::span<const std::byte>{buffer}.first(held);
  if (check == Check::image) check_header(start, stored.path.filename().string(), Backing::refused);
  if (held > 0) sink(start);
  while (const auto n = dump.read(buffer)) sink({buffer.data(), n});
}

}  // namespace

void stream_disk(const Restic& restic, const DiskUrl& url, const fs::path& scratch) {
  const auto snapshots = restic.find_all_of(url.chain);
  if (!url.is_disk()) {
    pass_on(restic, stored_file(snapshots.back(), url.path.filename()), Check::nothing);
    return;
  }
  const auto chain = stored_disk(snapshots, url);
  const Streams streams{restic, chain.size(), scratch};
  if (auto readers = streams.open(chain)) {
    qcow2::Merge merged{std::move(*readers)};
    Counted sink{merged.plan().file_size()};
    merged.write(std::ref(sink));
    return;
  }
  if (chain.size() == 1) {
    pass_on(restic, chain.front(), Check::image);
    return;
  }
  const TempDir directory{scratch};
  stream_file(merge_in(directory.path(), restic, chain));
}

void write_document(const Restic& restic, const DiskUrl& url, const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos)
    throw BadRequest{"not the name of a file: '" + one_line(name) + "'"};
  const auto snapshot = restic.find_all_of(url.chain).back();
  const auto [id, path] = stored_file(snapshot, name);
  const auto text = restic.dump(id, path);
  write_all(STDOUT_FILENO, text, "write '" + name + "'");
}

}  // namespace restic
