// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/recover.h"

#include "common/error.h"
#include "common/one/running.h"
#include "drivers/cli/lib/capture.h"
#include "drivers/cli/lib/display.h"
#include "drivers/lib/backup_plan.h"

namespace cli {
namespace {

void run(Command command, const std::string& doing) {
  command.err_lines([](std::string_view line) {
    for (const std::string_view level : {"ERROR:", "WARN:", "INFO:"})
      if (line.starts_with(level)) note(line.substr(line.find(':', level.size()) + 2));
  });
  insist(command.run(), doing);
}

void recover_all(App& app) {
  app.insist_on_place();
  run(app.action("tm/host/backup_host").arg("recover").arg("--all"), "not all could be put right");
  for (const auto& vm : app.store().vms()) {
    if (!workers(vm.id).empty()) continue;
    const auto lock = app.lock(vm);
    settle(app, vm);
  }
}

std::optional<state::ImageRecord> active_image(const App& app, const state::VmRecord& vm) {
  return vm.active_image ? app.store().image(*vm.active_image) : std::nullopt;
}

void recover_one(App& app, const RecoverOptions& options) {
  const auto subject = found_subject(app, options.domain, true);
  app.make_state();
  const auto vm = app.store().vm_for(subject.guest.uuid, subject.guest.name);
  const auto lock = app.lock(vm);
  for (const auto& worker : workers(vm.id))
    throw Error{"a backup of '" + vm.name + "' runs (" + worker.phase + ", process " +
                std::to_string(worker.pid) + "): 'vmvault status' shows it"};
  settle(app, vm);
  Mode mode;
  const auto disks = guest::take_disks(app.store(), vm.id, subject.guest, mode);
  const auto dir = state::prepare_dir(app.home(), vm, {}, disks);
  const auto image = active_image(app, vm);
  const messages::VmMessage message{
      .vm_id = vm.id,
      .guest = subject.guest,
      .disks = disks,
      .running = subject.running,
      .config = {.mode = mode,
                 .freeze = Freeze::none,
                 .last_increment_id = image ? image->last_increment() : -1,
                 .previous_increment_id = -1,
                 .last_datastore_id = image ? image->datastore : state::default_datastore,
                 .last_bridge = {}}};
  std::string ids;
  for (const auto& disk : disks) ids += (ids.empty() ? "" : ":") + std::to_string(disk.id);
  auto command = app.action("tm/qcow2/recover");
  for (const auto& word : {"localhost:" + dir.string(), ids, subject.guest.uuid, std::string{"-"},
                           std::to_string(vm.id), std::string{"0"}})
    command.arg(word);
  if (options.foreign) command.arg("--foreign");
  if (options.for_stock) command.arg("--for-stock");
  run(std::move(command.input(messages::vm(message).dump())),
      "'" + vm.name + "' could not be put right");
}

}  // namespace

void recover(App& app, const RecoverOptions& options) {
  if (!options.domain.empty()) return recover_one(app, options);
  if (options.foreign || options.for_stock)
    throw BadRequest{"--foreign and --for-stock are for one DOMAIN: name it"};
  recover_all(app);
}

}  // namespace cli
