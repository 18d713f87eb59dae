// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/file.h"
#include "common/qcow2/stream.h"
#include "datastore/lib/pass_on.h"
#include "datastore/restic/lib/dump.h"
#include "datastore/restic/lib/scratch.h"
#include "datastore/restic/lib/stored.h"
#include "datastore/restic/lib/streams.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

void stream_file(const fs::path& file) {
  const auto in = open_file(file, O_RDONLY);
  CountedOutput sink{fs::file_size(file)};
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  while (const auto n = read_some(in.get(), buffer, file)) sink({buffer.data(), n});
}

// Through our hands: restic would not outlive a reader who goes early, and leave its lock.
void pass_on(const Restic& restic, const StoredFile& stored, Content content) {
  Dump dump{restic, stored.snapshot, stored.path, Threads::as_configured};
  ::pass_on([&](std::span<std::byte> out) { return dump.read(out); },
            stored.path.filename().string(), content);
}

void write_merged(qcow2::Merge merged) {
  CountedOutput sink{merged.plan().file_size()};
  merged.write(std::ref(sink));
}

void stream(const Restic& restic, const DiskUrl& url, const fs::path& scratch) {
  const auto stored = restic.find_all_of(url.chain);
  if (!url.is_disk()) {
    pass_on(restic, stored_file(stored.back().snapshot, url.path.filename()), Content::document);
    return;
  }
  const auto chain = stored_disk(stored, url.disk_id());
  if (have_exports(chain)) {
    check_space(scratch, size_of(restic, chain));
    const TempDir directory{scratch};
    write_merged(qcow2::Merge{fetch_layers(directory.path(), restic, chain)});
    return;
  }
  const Streams streams{restic, chain.size(), scratch, KnownSums::in_environment()};
  if (auto readers = streams.open(chain)) {
    write_merged(qcow2::Merge{std::move(*readers)});
    return;
  }
  if (chain.size() == 1) {
    pass_on(restic, chain.front(), Content::image);
    return;
  }
  const TempDir directory{scratch};
  stream_file(merge_in(directory.path(), restic, chain));
}

}  // namespace

void stream_disk(const Restic& restic, const DiskUrl& url, const fs::path& scratch) try {
  stream(restic, url, scratch);
} catch (...) {
  // Most readers want the beginning only.  A restic that is interrupted does not remove its lock
  // always, and who would remove the repository's data must not find it.
  try {
    restic.clear_stale_locks(Care::undo);
  } catch (const std::exception&) {  // why we are here says more
  }
  throw;
}

void write_document(const Restic& restic, const DiskUrl& url, const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos)
    throw BadRequest{"not the name of a file: '" + one_line(name) + "'"};
  const auto snapshot = restic.find_all_of(url.chain).back().snapshot;
  const auto file = stored_file(snapshot, name);
  const auto text = restic.dump(file.snapshot, file.path);
  write_all(STDOUT_FILENO, text, "write '" + name + "'");
}

}  // namespace restic
