// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/backup.h"

#include <cstdio>
#include <ctime>

#include "common/error.h"
#include "common/one/config.h"
#include "common/one/running.h"
#include "drivers/cli/lib/capture.h"
#include "drivers/cli/lib/datastore.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/subject.h"
#include "drivers/lib/messages.h"
#include "drivers/lib/next_backup.h"

namespace cli {
namespace {

std::optional<state::ImageRecord> active_image(const App& app, const state::VmRecord& vm) {
  return vm.active_image ? app.store().image(*vm.active_image) : std::nullopt;
}

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

}  // namespace

void backup(App& app, const BackupOptions& options) {
  const auto begun = std::time(nullptr);
  const int datastore = chosen_datastore(app, options.datastore);
  const auto subject = find_subject(app, options.domain, options.force);
  auto vm = app.store().vm_for(subject.guest.uuid, subject.guest.name);
  const auto lock = app.lock(vm);
  refuse_if_busy(vm);
  settle(app, vm);
  vm = app.store().vm_for(subject.guest.uuid, subject.guest.name);

  Mode mode;
  const auto disks = take_disks(app, vm.id, subject.guest, mode);
  state::Wish wish{.mode = mode, .disks = {}, .datastore = datastore, .full = options.full};
  for (const auto& disk : disks) wish.disks.push_back(disk.id);
  const auto next = state::next_backup(active_image(app, vm), wish);
  if (!next.why.empty() && !options.full) note("a new chain begins: " + next.why);

  const auto dir = app.home().vm_link(vm.id);
  link_disks(dir, disks);
  const messages::VmMessage message{
      .vm_id = vm.id,
      .guest = subject.guest,
      .disks = disks,
      .running = subject.running,
      .config = {.mode = mode,
                 .freeze = options.freeze.value_or(
                     subject.running && subject.guest.agent ? Freeze::agent : Freeze::none),
                 .last_increment_id = next.last_increment,
                 .last_datastore_id = wish.datastore,
                 .last_bridge = {}}};
  const auto request =
      messages::backup_action(message, dir, app.home().datastore(wish.datastore)).dump();
  const auto stored = capture(app,
                              {.vm = vm.id,
                               .image = next.image,
                               .increment = next.increment(),
                               .datastore = wish.datastore,
                               .mode = mode,
                               .disks = wish.disks,
                               .dir = backup_dir(dir, vm.id),
                               .started = begun,
                               .ended = {},
                               .error = {}},
                              {.document = request, .freeze_is_a_bonus = !options.freeze});
  report(stored, vm.name, std::time(nullptr) - begun);
  // Of what the capture could not read, it has warned itself.
  for (const auto& what : subject.keeps)
    if (!stored.result || !stored.result->document(what))
      note("the " + what + " of '" + vm.name + "' is not in the backup");
}

}  // namespace cli
