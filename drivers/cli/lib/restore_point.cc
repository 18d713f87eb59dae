// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/restore_point.h"

#include "common/error.h"
#include "drivers/cli/lib/display.h"

namespace cli {
namespace {

state::CaptureResult stored_result(const App& app, const RestorePoint& point) {
  const auto& known = point.last().result;
  try {
    return state::parse_result(known.empty() ? point.document(app, "vmvault.json") : known);
  } catch (const BadRequest&) {
    throw Error{"the vmvault.json of " + point.name() + ", increment " +
                std::to_string(point.last().id) + ", is damaged"};
  }
}

}  // namespace

bool RestorePoint::has(const char* what) const {
  const auto* document = result.document(what);
  return document && !document->file.empty();
}

DiskUrl RestorePoint::url(const state::DiskResult& disk) const {
  return {.protocol = protocol,
          .datastore_id = image.datastore,
          .job_id = {},
          .chain = image.chain(),
          .path = last().dir / disk.file};
}

Command RestorePoint::downloader(const App& app) const {
  return app.datastore_action(image.datastore, "downloader");
}

std::string RestorePoint::document(const App& app, const std::string& file) const {
  // Any disk's URL names the snapshot and its directory.
  state::DiskResult any;
  any.file = "disk." + std::to_string(image.disks.front()) + "." + std::to_string(last().id);
  auto finished = downloader(app).arg("--file").arg(file).arg(url(any).text()).run();
  insist(finished, "cannot read " + file + " of " + name());
  if (!result.is_as_captured(file, finished.out))
    throw Error{file + " of " + name() +
                " is not what was backed up (--disk restores a disk without it)"};
  return std::move(finished.out);
}

std::optional<state::Reading> reading_of(const App& app, int image) try {
  return state::Reading::ours(app.home(), image);
} catch (const Cancelled&) {
  throw;
} catch (const Error& error) {
  note("image " + std::to_string(image) +
       " could be deleted or merged while it is read: " + error.what());
  return std::nullopt;
}

RestorePoint restore_point(const App& app, int image, std::optional<int> increment,
                           std::optional<int> disk) {
  app.image(image);
  auto reading = reading_of(app, image);
  RestorePoint point{.image = app.image(image),  // as it is from now on
                     .protocol = {},
                     .disks = {},
                     .result = {},
                     .reading = std::move(reading)};
  if (point.image.half_deleted())
    note(point.name() + " is half deleted: what is gone already cannot be read");
  if (const auto keep = point.image.keep)
    note(point.name() +
         " is being merged, or that was cut off: what cannot be read of it is there again "
         "after 'vmvault flatten " +
         std::to_string(image) + " --keep " + std::to_string(*keep) + "'");
  point.protocol = app.store().datastore(point.image.datastore).value().ds_mad;
  auto& increments = point.image.increments;
  if (increments.empty()) throw Error{point.name() + " has no restore point"};
  const auto nothing = [&](const char* what, int id) {
    return BadRequest{point.name() + " has no " + what + " " + std::to_string(id) +
                      " ('vmvault show " + std::to_string(image) + "' lists them)"};
  };
  const int last = increment.value_or(increments.back().id);
  if (!point.image.increment(last)) throw nothing("increment", last);
  std::erase_if(increments, [&](const auto& one) { return one.id > last; });

  point.result = stored_result(app, point);
  point.disks = point.result.disks;
  if (disk) {
    std::erase_if(point.disks, [&](const auto& one) { return one.id != *disk; });
    if (point.disks.empty()) throw nothing("disk", *disk);
  }
  return point;
}

}  // namespace cli
