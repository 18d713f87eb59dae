// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/backup.h"

#include <cstdio>
#include <ctime>

#include "common/error.h"
#include "common/number.h"
#include "common/one/running.h"
#include "drivers/cli/lib/capture.h"
#include "drivers/cli/lib/datastore.h"
#include "drivers/cli/lib/display.h"
#include "drivers/lib/backup_plan.h"

namespace cli {
namespace {

void refuse_if_busy(const state::VmRecord& vm) {
  for (const auto& worker : workers(vm.id))
    throw Error{"a backup of '" + vm.name + "' still runs (" + worker.phase + ", process " +
                std::to_string(worker.pid) + "): try again when it has ended"};
}

void report(const Stored& stored, const std::string& name, std::int64_t seconds) {
  const auto& record = stored.record;
  std::string line = "image " + std::to_string(stored.image) + ", increment " +
                     std::to_string(record.id) + ": " + (record.id == 0 ? "full" : "increment") +
                     " of '" + printable(name) + "', " + size_text(record.bytes) + " in " +
                     duration_text(seconds);
  if (stored.result) line += ", " + consistency_text(*stored.result);
  std::puts(line.c_str());
  if (!stored.result) return;
  for (const auto& disk : stored.result->disks)
    if (disk.kind == "whole")
      std::printf("disk '%s' is whole in it: %s\n", printable(disk.target).c_str(),
                  printable(disk.why).c_str());
}

// What it cannot be planned for is told by the status, too: nobody may be reading what we say.
state::BackupPlan planned(App& app, int vm, const guest::Subject& subject,
                          const state::BackupWish& wish) try {
  return state::plan_backup(app.store(), app.home(), vm, subject, wish);
} catch (const Cancelled&) {
  throw;
} catch (const Error& error) {
  app.store().refuse({.vm = vm,
                      .image = {},
                      .datastore = wish.datastore,
                      .dir = {},
                      .started = wish.now,
                      .ended = {},
                      .error = {}},
                     one_line(error.what()));
  throw;
}

// What the machine is configured for goes before what holds for all.
int datastore_of(const App& app, int vm) {
  const auto own = app.store().settings(state::Store::Subject::vm, vm);
  const auto named = own.find("DATASTORE_ID");
  return chosen_datastore(app, named == own.end() ? std::nullopt : parse_int(named->second, 0));
}

}  // namespace

void backup(App& app, const BackupOptions& options) {
  const auto begun = std::time(nullptr);
  if (options.datastore) chosen_datastore(app, options.datastore);  // before anything is made
  const auto subject = found_subject(app, options.domain, options.force);
  app.make_state();
  auto vm = app.store().vm_for(subject.guest.uuid, subject.guest.name);
  const int datastore = options.datastore ? *options.datastore : datastore_of(app, vm.id);
  const auto lock = app.lock(vm);
  refuse_if_busy(vm);
  settle(app, vm);
  const auto plan = planned(
      app, vm.id, subject,
      {.datastore = datastore, .full = options.full, .freeze = options.freeze, .now = begun});
  if (!plan.why_anew.empty() && !options.full) note("a new chain begins: " + plan.why_anew);
  if (plan.attempt.image)
    if (const auto keep = app.image(*plan.attempt.image).keep)
      note("a merge of image " + std::to_string(*plan.attempt.image) +
           " was cut off, and older points may not be readable before 'vmvault flatten " +
           std::to_string(*plan.attempt.image) + " --keep " + std::to_string(*keep + 1) +
           "' has gone on with it");
  if (!plan.why_whole.empty()) note("the increment may hold everything: " + plan.why_whole);
  const auto stored =
      capture(app, plan.attempt, {.document = plan.document, .freeze_is_a_bonus = !options.freeze});
  report(stored, vm.name, std::time(nullptr) - begun);
  if (stored.result && stored.result->lacks_domain())
    note("'" + vm.name + "' was undefined meanwhile: its domain.xml is not in the backup");
  // Of what the capture could not read, it has warned itself.
  for (const auto& what : subject.keeps)
    if (!stored.result || !stored.result->document(what))
      note("the " + what + " of '" + vm.name + "' is not in the backup");
}

}  // namespace cli
