// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/raw_disks.h"

#include <fcntl.h>

#include <optional>

#include "common/error.h"
#include "common/file.h"
#include "datastore/lib/chain_layers.h"
#include "datastore/lib/raw_export.h"
#include "datastore/lib/space.h"

namespace fs = std::filesystem;

namespace rsync {
namespace {

std::vector<int> disks_of(const std::vector<DiskUrl>& urls) {
  std::vector<int> ids;
  for (const auto& url : urls) {
    if (url.chain.text() != urls[0].chain.text())
      throw BadRequest{"the URLs are not of one backup"};
    ids.push_back(url.disk_id());
  }
  return ids;
}

void require_space(const fs::path& directory, const Store::Listing& found, const Chain& chain,
                   const std::vector<int>& disks) {
  std::uint64_t bytes = 0;
  for (const auto& one : chain.increments())
    for (const int disk : disks) {
      const auto& files = found.at(one.source);
      bytes += files.at(disk_file_of(files, disk, one));
    }
  const auto free_mb = Space::of(directory).free_mb;
  if (free_mb <= bytes >> 20)
    throw Error{"the copies of the disks need up to " + std::to_string((bytes >> 20) + 1) +
                " MiB in '" + directory.string() + "', where " + std::to_string(free_mb) +
                " MiB are free: set RSYNC_TMP_DIR"};
}

// Is a disk in a form that only we can read?
bool have_exports(const Store::Found& found, const std::vector<int>& disks) {
  for (const auto& one : found.chain.increments())
    for (const int disk : disks)
      if (is_rbd_export(disk_file_of(found.files.at(one.source), disk, one))) return true;
  return false;
}

fs::path copy_merged(Store& store, int vm, const Store::Found& found, int disk,
                     const fs::path& to) {
  const auto path = to / disk_file(disk, found.chain.last());
  const auto out = open_file(path, O_WRONLY | O_CREAT | O_EXCL);
  const auto source = store.open_disk(vm, found, disk);
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  while (const auto n = source(buffer))
    write_all(out.get(), {reinterpret_cast<const char*>(buffer.data()), n},
              "write '" + path.string() + "'");
  return path;
}

}  // namespace

void serve_raw_disks(Store& store, const std::vector<DiskUrl>& urls, const fs::path& dir) {
  const auto& chain = urls.at(0).chain;
  const int vm = vm_of(urls[0], store.settings());
  const auto ids = disks_of(urls);
  const auto found = store.find(vm, chain);
  auto here = store.directory(vm);
  if (have_exports(found, ids)) here.reset();
  std::optional<TempDir> copies;
  if (!here) {
    require_space(store.settings().tmp_dir, found.files, found.chain, ids);
    copies.emplace(store.settings().tmp_dir);
  }
  std::vector<RawDisk> disks;
  for (const int id : ids) {
    auto& disk = disks.emplace_back(RawDisk{.id = id, .chain = {}});
    if (!here)
      disk.chain.push_back(copy_merged(store, vm, found, id, copies->path()));
    else
      for (const auto& one : found.chain.increments())
        disk.chain.push_back(*here / one.source / disk_file(id, one));
  }
  serve_raw(disks, dir, {});
}

}  // namespace rsync
