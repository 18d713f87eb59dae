// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/flatten.h"

#include <cstdio>

#include "common/base64.h"
#include "common/error.h"
#include "common/one/running.h"
#include "drivers/cli/lib/capture.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/meter.h"
#include "drivers/cli/lib/remove.h"
#include "drivers/lib/flatten_reply.h"
#include "drivers/lib/merge_sums.h"
#include "drivers/lib/messages.h"
#include "drivers/lib/result.h"
#include "drivers/lib/work_dir.h"

namespace cli {
namespace {

using state::FlattenReply;

// The image is LOCKED until there is an answer, as under the service: whoever comes after us,
// should we be killed, knows that something may be merged that is not on record.
FlattenReply ask(App& app, const state::ImageRecord& image, int keep,
                 const state::MergeSums& sums) try {
  sums.give(app.store());
  const auto request = messages::flatten_action(
      messages::image(image), app.home().datastore(image.datastore), keep, sums.directory());
  try {
    mark_unneeded(app, image.id, [&] { app.store().mark_flattening(image.id, keep); });
  } catch (const Error&) {
    sums.forget();
    throw;
  }
  const state::WorkDir directory{app.home()};
  const auto progress = directory.path() / "progress";
  const auto finished = [&] {
    ProgressDisplay display{progress};
    return app.datastore_action(image.datastore, "increment_flatten")
        .arg(std::to_string(image.id))
        .env("VMVAULT_PROGRESS", progress.string())
        .input(base64_encode(request.dump()) + "\n")
        .stop_with({.signal = SIGTERM, .grace = std::chrono::minutes{10}})
        .answer_counts()
        .err_lines([&](std::string_view line) {
          display.clear();
          note_warning(line);
        })
        .run();
  }();
  // One that was killed may have begun to remove what it has merged: that goes on later.
  if (!finished.ok() && finished.status < 128)
    app.store().fail_flatten(image.id, last_line(finished.err));
  insist(finished, "cannot flatten image " + std::to_string(image.id));
  return state::parse_flatten_reply(finished.out, image, keep);
} catch (const Cancelled& cancelled) {
  if (!cancelled.killed) app.store().fail_flatten(image.id, cancelled.what());
  throw;
}

// What the datastore says of the merged increment; empty if it says nothing.
std::string stored_result(const App& app, const state::ImageRecord& image,
                          const state::BackupRecord& merged) {
  const DiskUrl url{.protocol = app.store().datastore(image.datastore).value().ds_mad,
                    .datastore_id = image.datastore,
                    .job_id = {},
                    .chain = Chain{{{merged.id, merged.source}}},
                    .path = merged.dir / ("disk." + std::to_string(image.disks.at(0)) + "." +
                                          std::to_string(merged.id))};
  auto finished = app.datastore_action(image.datastore, "downloader")
                      .arg("--file")
                      .arg("vmvault.json")
                      .arg(url.text())
                      .shielded()
                      .run();
  return finished.ok() ? std::move(finished.out) : "";
}

void merge(App& app, const state::VmRecord& vm, const state::ImageRecord& image, int keep) {
  const state::MergeSums sums{app.home(), image.id};
  const auto reply = ask(app, image, keep, sums);
  auto merged = *image.increment(reply.chain.increments().front().id);
  merged.source = reply.chain.increments().front().source;
  merged.size_mib = reply.size_mib;
  merged.result = stored_result(app, image, merged);
  merged.bytes = merged.result.empty() ? static_cast<std::uint64_t>(reply.size_mib) << 20
                                       : state::parse_result(merged.result).bytes();
  app.store().flatten(image.id, merged, sums.take(merged));
  sums.forget();
  std::printf(
      "image %d of '%s': %s merged into increment %d, %s left\n", image.id,
      printable(vm.name).c_str(),
      count_text(image.increments.size() - reply.chain.increments().size() + 1, "restore point")
          .c_str(),
      merged.id, count_text(reply.chain.increments().size(), "restore point").c_str());
}

}  // namespace

void flatten(App& app, int id, int keep) {
  const auto vm = app.store().vm(app.image(id).vm).value();
  const auto lock = app.lock(vm);
  for (const auto& worker : workers(vm.id))
    throw Error{"process " + std::to_string(worker.pid) + " works on the backups of '" + vm.name +
                "': nothing is merged meanwhile"};
  settle(app, vm);             // a backup that ended well belongs to the chain
  auto image = app.image(id);  // again, now that nobody else can change it
  insist_unneeded(app, image);
  if (image.half_deleted())
    throw Error{"image " + std::to_string(id) + " is half deleted: 'vmvault delete " +
                std::to_string(id) + "' again"};
  if (image.keep) {
    note("a merge of image " + std::to_string(id) + " was cut off: that goes on first");
    merge(app, vm, image, *image.keep);
    image = app.image(id);
  }
  if (image.increments.size() <= static_cast<std::size_t>(keep)) {
    note("image " + std::to_string(id) + " has only " +
         count_text(image.increments.size(), "restore point") + ": there is nothing to merge");
    return;
  }
  if (const auto why = state::why_not_merged(image, keep); !why.empty()) throw Error{why};
  merge(app, vm, image, keep);
}

}  // namespace cli
