// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "common/cancel.h"
#include "common/file.h"
#include "common/mount.h"
#include "common/one/action.h"
#include "common/one/progress.h"
#include "common/qcow2/stream.h"
#include "datastore/lib/output.h"
#include "datastore/restic/lib/dump.h"
#include "datastore/restic/lib/header.h"
#include "datastore/restic/lib/mounted.h"
#include "datastore/restic/lib/scratch.h"
#include "datastore/restic/lib/stored.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

// Each dump is a restic of its own: a key derivation, 100 to 200 MiB, and on a server a connection,
// of which sshd takes ten at once (MaxStartups).  Longer chains are read through one mount.
constexpr std::size_t most_dumps = 8;

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

std::size_t read_some(int fd, std::span<std::byte> out, const fs::path& name) {
  for (;;) {
    cancel::check();
    const ssize_t n = read(fd, out.data(), out.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw system_error("read '" + name.string() + "'", errno);
  }
}

// A file of the chain as a stream: from its start to its end.
using Open = std::function<qcow2::Source(const StoredFile&)>;

Open dumped(const Restic& restic) {
  return [&restic](const StoredFile& stored) {
    return [dump = std::make_shared<Dump>(restic, stored.snapshot, stored.path)](
               std::span<std::byte> out) { return dump->read(out); };
  };
}

Open mounted(const Mounted& repository) {
  return [&repository](const StoredFile& stored) {
    const auto path = repository.file(stored);
    return [path, fd = std::make_shared<Fd>(open_file(path, O_RDONLY))](std::span<std::byte> out) {
      return read_some(fd->get(), out, path);
    };
  };
}

// The files of the chain, side by side; nullopt if one of them is not of sequential layout.
std::optional<std::vector<qcow2::StreamReader>> open_all(const std::vector<StoredFile>& chain,
                                                         const Open& open) {
  std::vector<qcow2::Source> sources;
  for (const auto& stored : chain) sources.push_back(open(stored));
  std::vector<qcow2::StreamReader> readers;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const auto failed = std::make_shared<bool>(false);
    const auto source = [source = sources[i], failed](std::span<std::byte> out) {
      *failed = true;
      const auto size = source(out);
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

// false: not of sequential layout, and nothing was written.
bool merge(const std::vector<StoredFile>& chain, const Open& open) {
  auto readers = open_all(chain, open);
  if (!readers) return false;
  qcow2::Merge merged{std::move(*readers)};
  Counted sink{merged.plan().file_size()};
  merged.write(std::ref(sink));
  return true;
}

// The same; also false where nothing can be mounted.
bool merge_mounted(const Restic& restic, const std::vector<StoredFile>& chain,
                   const fs::path& scratch) {
  std::optional<Mounted> repository;
  try {
    if (const auto why = no_fuse_because(); !why.empty()) throw Error{why};
    repository.emplace(restic, scratch);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& why) {
    log(Level::info, "a chain of " + std::to_string(chain.size()) +
                         " files is merged from copies in '" + scratch.string() +
                         "': " + why.what());
    return false;
  }
  return merge(chain, mounted(*repository));
}

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
  const bool merged = chain.size() <= most_dumps ? merge(chain, dumped(restic))
                                                 : merge_mounted(restic, chain, scratch);
  if (merged) return;
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
