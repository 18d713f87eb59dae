// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "common/file.h"
#include "common/one/progress.h"
#include "common/qcow2/stream.h"
#include "datastore/lib/output.h"
#include "datastore/restic/lib/dump.h"
#include "datastore/restic/lib/header.h"
#include "datastore/restic/lib/scratch.h"
#include "datastore/restic/lib/stored.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

// Each stream is a restic of its own (100 to 200 MiB), so longer chains are merged from a copy.
constexpr std::size_t most_streams = 64;

// Until its first byte a stream costs a key derivation and, on a server, a new connection, of which
// sshd takes ten at once (MaxStartups).
constexpr std::size_t most_starts = 8;

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

// The files of the chain, opened side by side; nullopt if one of them is not of sequential layout.
std::optional<std::vector<qcow2::StreamReader>> open_all(const Restic& restic,
                                                         const std::vector<StoredFile>& chain) {
  std::vector<std::shared_ptr<Dump>> dumps;
  const auto start_up_to = [&](std::size_t count) {
    while (dumps.size() < std::min(count, chain.size())) {
      const auto& [snapshot, path] = chain[dumps.size()];
      dumps.push_back(std::make_shared<Dump>(restic, snapshot, path));
    }
  };
  std::vector<qcow2::StreamReader> readers;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    start_up_to(i + most_starts);
    const auto failed = std::make_shared<bool>(false);
    const auto source = [dump = dumps[i], failed](std::span<std::byte> out) {
      *failed = true;
      const auto size = dump->read(out);
      *failed = false;
      return size;
    };
    try {
      readers.emplace_back(source, chain[i].path.string());
    } catch (const Error&) {
      if (*failed) throw;
      return std::nullopt;
    }
  }
  return readers;
}

void stream_file(const fs::path& file) {
  const auto in = open_file(file, O_RDONLY);
  Counted sink{fs::file_size(file)};
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  for (ssize_t n; (n = read(in.get(), buffer.data(), buffer.size())) != 0;) {
    if (n == -1) throw system_error("read '" + file.string() + "'", errno);
    sink({buffer.data(), static_cast<std::size_t>(n)});
  }
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
  if (chain.size() <= most_streams) {
    if (auto readers = open_all(restic, chain)) {
      qcow2::Merge merge{std::move(*readers)};
      Counted sink{merge.plan().file_size()};
      merge.write(std::ref(sink));
      return;
    }
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
