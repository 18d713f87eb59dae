// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/raw_files.h"

#include "common/error.h"
#include "datastore/lib/raw_export.h"
#include "datastore/restic/lib/mounted.h"
#include "datastore/restic/lib/stored.h"

namespace fs = std::filesystem;

namespace restic {

void serve_raw_files(const Restic& restic, const std::vector<DiskUrl>& urls, const fs::path& dir,
                     const fs::path& scratch) {
  const auto stored = restic.find_all_of(urls.at(0).chain);
  const Mounted repository{restic, scratch};
  std::vector<RawDisk> disks;
  for (const auto& url : urls) {
    if (url.chain.text() != urls[0].chain.text())
      throw BadRequest{"the URLs are not of one backup"};
    auto& disk = disks.emplace_back(RawDisk{.id = url.disk_id(), .chain = {}});
    const auto chain = stored_disk(stored, url.disk_id());
    if (have_exports(chain))
      throw Error{
          "disks in the legacy format of Ceph (restic+rbd) cannot be looked into: download "
          "them"};
    for (const auto& file : chain) disk.chain.push_back(repository.file(file));
  }
  serve_raw(disks, dir,
            {.ended = repository.ended(), .name = "restic, which reads the repository,"});
}

}  // namespace restic
