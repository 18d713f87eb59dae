// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/scratch.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "common/file.h"
#include "datastore/lib/space.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

std::uint64_t size_of(const Restic& restic, const std::string& snapshot, const fs::path& path) {
  const auto list =
      restic.output({"ls", "--json", "--no-lock", snapshot, path.parent_path().string()},
                    "list the files of the snapshot " + snapshot);
  if (const auto size = parse_size(list, path.string())) return *size;
  throw Error{"the snapshot " + snapshot + " has no file '" + path.string() + "'"};
}

// All files of the chain, and the merged one, which is at most as large as they are together.
void check_space(const fs::path& directory, const Restic& restic, const DiskUrl& url) {
  std::uint64_t bytes = 0;
  for (const auto& increment : url.chain.increments())
    bytes += size_of(restic, increment.source, url.file(increment.id));
  const auto need_mb = (2 * bytes >> 20) + 1;
  const auto free_mb = Space::of(directory).free_mb;
  if (free_mb < need_mb)
    throw Error{"merging needs " + std::to_string(need_mb) + " MiB in '" +
                directory.parent_path().string() + "', where " + std::to_string(free_mb) +
                " MiB are free: set RESTIC_TMP_DIR"};
}

void fetch(const Restic& restic, const std::string& snapshot, const fs::path& path,
           const fs::path& file) {
  const auto out = open_file(file, O_WRONLY | O_CREAT | O_TRUNC);
  auto call = restic.command({"--quiet", "dump", snapshot, path.string()}, Moves::out);
  const auto finished = restic.when_unlocked(call.write_to(out.get()));
  if (!finished.ok())
    throw restic.failure("read '" + path.string() + "' of the snapshot " + snapshot, finished);
}

}  // namespace

// Format: docs/interop/qcow2.txt of the qemu sources; an external data file is bit 2 of the
// incompatible features (version 3, bytes 72 to 79, big-endian).
void check_image(const fs::path& file) {
  std::array<unsigned char, 80> header{};
  const auto fd = open_file(file, O_RDONLY);
  const bool whole = pread(fd.get(), header.data(), header.size(), 0) == std::ssize(header);
  if (!whole || header[0] != 'Q' || header[1] != 'F' || header[2] != 'I' || header[3] != 0xfb)
    throw Error{"'" + file.filename().string() + "' of the backup is no qcow2 file"};
  if (header[7] >= 3 && (header[79] & 4) != 0)
    throw Error{"'" + file.filename().string() + "' of the backup has an external data file"};
}

fs::path merge_in(const fs::path& directory, const Restic& restic, const DiskUrl& url) {
  check_space(directory, restic, url);
  fs::path previous;
  for (const auto& increment : url.chain.increments()) {
    const auto path = url.file(increment.id);
    const auto file = directory / path.filename();
    fetch(restic, increment.source, path, file);
    check_image(file);
    Command rebase{"qemu-img", "rebase", "-u", "-f", "qcow2"};
    if (!previous.empty()) rebase.arg("-F").arg("qcow2");
    rebase.arg("-b").arg(previous.string()).arg("--").arg(file.string()).output();
    previous = file;
  }
  const auto merged = directory / "merged";
  Command{"qemu-img", "convert",         "-f",           "qcow2", "-O", "qcow2",
          "--",       previous.string(), merged.string()}
      .output();
  return merged;
}

}  // namespace restic
