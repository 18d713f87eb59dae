// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/scratch.h"

#include <fcntl.h>

#include <cstdint>
#include <memory>
#include <span>

#include "common/file.h"
#include "common/qcow2/image_file.h"
#include "common/read_at.h"
#include "datastore/lib/chain_layers.h"
#include "datastore/lib/space.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

std::uint64_t size_of(const Restic& restic, const StoredFile& stored) {
  const auto& [snapshot, path, merged] = stored;
  const auto list =
      restic.output({"ls", "--json", "--no-lock", snapshot, path.parent_path().string()},
                    "list the files of the snapshot " + snapshot);
  if (const auto size = parse_size(list, path.string())) return *size;
  throw Error{"the snapshot " + snapshot + " has no file '" + path.string() + "'"};
}

void fetch(const Restic& restic, const StoredFile& stored, const fs::path& file) {
  const auto& [snapshot, path, merged] = stored;
  const auto out = open_file(file, O_WRONLY | O_CREAT | O_TRUNC);
  auto call = restic.command({"--quiet", "dump", snapshot, path.string()}, Moves::out);
  const auto finished = restic.when_unlocked(call.write_to(out.get()));
  if (!finished.ok())
    throw restic.failure("read '" + path.string() + "' of the snapshot " + snapshot, finished);
}

}  // namespace

std::uint64_t size_of(const Restic& restic, const std::vector<StoredFile>& chain) {
  std::uint64_t bytes = 0;
  for (const auto& stored : chain) bytes += size_of(restic, stored);
  return bytes;
}

void check_space(const fs::path& directory, std::uint64_t bytes) {
  const auto need_mb = (bytes >> 20) + 1;
  const auto free_mb = Space::of(directory).free_mb;
  if (free_mb < need_mb)
    throw Error{"merging needs " + std::to_string(need_mb) + " MiB in '" + directory.string() +
                "', where " + std::to_string(free_mb) + " MiB are free: set RESTIC_TMP_DIR"};
}

fs::path fetch_in(const fs::path& directory, const Restic& restic,
                  const std::vector<StoredFile>& chain) {
  fs::path previous;
  for (const auto& stored : chain) {
    const auto file = directory / stored.path.filename();
    fetch(restic, stored, file);
    const auto what = "'" + file.filename().string() + "' of the backup";
    check_header_of(file, what, Backing::overridden);
    Command rebase{"qemu-img", "rebase", "-u", "-f", "qcow2"};
    if (!previous.empty()) rebase.arg("-F").arg("qcow2");
    rebase.arg("-b").arg(previous.string()).arg("--").arg(file.string()).output();
    check_whole(file, what);  // what is cut off at its end would read as zeros
    previous = file;
  }
  return previous;
}

std::vector<qcow2::Layer> fetch_layers(const fs::path& directory, const Restic& restic,
                                       const std::vector<StoredFile>& chain) {
  std::vector<qcow2::Layer> layers;
  for (const auto& stored : chain) {
    const auto name = stored.path.filename().string();
    const auto file = directory / name;
    fetch(restic, stored, file);
    const auto fd = std::make_shared<Fd>(open_file(file, O_RDONLY));
    const auto read = [fd, name](std::uint64_t offset, std::span<std::byte> out) {
      return read_at(fd->get(), offset, out, "'" + name + "'");
    };
    add_layers(layers, read, fs::file_size(file), name);
  }
  return layers;
}

fs::path merge_in(const fs::path& directory, const Restic& restic,
                  const std::vector<StoredFile>& chain) {
  // All files of the chain, and the merged one, which is at most as large as they are together.
  check_space(directory.parent_path(), 2 * size_of(restic, chain));
  const auto newest = fetch_in(directory, restic, chain);
  const auto merged = directory / "merged";
  Command{"qemu-img", "convert",       "-f",           "qcow2", "-O", "qcow2",
          "--",       newest.string(), merged.string()}
      .output();
  return merged;
}

}  // namespace restic
