// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/backup_point.h"

#include <algorithm>

#include "common/ended.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/chain.h"
#include "common/one/location.h"
#include "common/one/log_line.h"

namespace vmvaultd {
namespace {

state::ImageRecord image_up_to(const state::Store& store, const state::Origin& origin) {
  auto image = store.image(origin.image);
  if (!image) throw Error{"there is no image " + std::to_string(origin.image)};
  if (origin.increment >= 0 && !image->increment(origin.increment))
    throw Error{"image " + std::to_string(image->id) + " has no increment " +
                std::to_string(origin.increment)};
  if (origin.increment >= 0)
    std::erase_if(image->increments, [&](const auto& one) { return one.id > origin.increment; });
  if (image->increments.empty())
    throw Error{"image " + std::to_string(image->id) + " has no restore point"};
  return *std::move(image);
}

}  // namespace

void insist(const Finished& finished, const std::string& doing) {
  if (finished.ok()) return;
  const auto why = last_plain_line(finished.err);
  throw Error{doing + ": " + (why.empty() ? ended("it", finished.status) : why)};
}

BackupPoint::BackupPoint(const state::Home& home, state::Store& store, const state::Origin& origin)
    : store_{store}, image_{image_up_to(store, origin)} {
  const auto datastore = store.datastore(image_.datastore);
  if (!datastore) throw Error{"there is no datastore " + std::to_string(image_.datastore)};
  home.datastore(image_.datastore);  // what is wrong with it is told here
  driver_ = datastore->ds_mad;
  const auto& known = image_.increments.back().result;
  result_ = state::parse_result(known.empty() ? document("vmvault.json") : known);
}

Command BackupPoint::downloader() const {
  return Command{(remotes_root() / "datastore" / driver_ / "downloader").string()};
}

std::string BackupPoint::url_of(const std::string& file) const {
  return DiskUrl{.protocol = driver_,
                 .datastore_id = image_.datastore,
                 .job_id = {},
                 .chain = image_.chain(),
                 .path = image_.increments.back().dir / file}
      .text();
}

const state::DiskResult& BackupPoint::disk(int id) const {
  const auto found = std::find_if(result_.disks.begin(), result_.disks.end(),
                                  [&](const auto& one) { return one.id == id; });
  if (found == result_.disks.end())
    throw Error{"image " + std::to_string(image_.id) + " has no disk " + std::to_string(id)};
  return *found;
}

bool BackupPoint::has(int id) const {
  return std::any_of(result_.disks.begin(), result_.disks.end(),
                     [&](const auto& one) { return one.id == id; });
}

std::string BackupPoint::url(int id) const { return url_of(disk(id).file); }
std::string BackupPoint::target(int id) const { return disk(id).target; }

std::string BackupPoint::document(const std::string& file) const {
  // Any disk's URL names the snapshot and its directory.
  const auto any = "disk." + std::to_string(image_.disks.front()) + "." +
                   std::to_string(image_.increments.back().id);
  auto finished = downloader().arg("--file").arg(file).arg(url_of(any)).run();
  const auto name = file + " of image " + std::to_string(image_.id);
  insist(finished, "cannot read " + name);
  if (!result_.is_as_captured(file, finished.out)) throw Error{name + " is not what was backed up"};
  return std::move(finished.out);
}

std::string BackupPoint::document_if_any(const char* what) const {
  const auto* found = result_.document(what);
  return found && !found->file.empty() ? document(found->file) : "";
}

void BackupPoint::write_sums(const std::filesystem::path& dir) const {
  for (const auto& increment : image_.increments)
    for (const auto& [file, sums] : store_.sums(image_.id, increment.id))
      write_file(dir / file, sums);
}

}  // namespace vmvaultd
