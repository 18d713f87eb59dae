// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/backup.h"

#include <cstdio>
#include <ctime>

#include "common/error.h"
#include "common/one/config.h"
#include "common/one/running.h"
#include "drivers/cli/lib/capture.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/hypervisor.h"
#include "drivers/lib/disk_file.h"
#include "drivers/lib/document.h"
#include "drivers/lib/messages.h"
#include "drivers/lib/next_backup.h"

namespace cli {
namespace {

struct Subject {
  guest::Guest guest;
  bool running = false;
};

Subject find(const App& app, const BackupOptions& options) {
  const auto found = Hypervisor{app.uri()}.find(options.domain);
  const auto xml =
      read_document(found.xml, "libvirt's description of domain '" + options.domain + "'");
  Subject subject{.guest = guest::parse(xml.root()), .running = found.active};
  if (subject.guest.opennebulas && !options.force)
    throw Error{"domain '" + subject.guest.name +
                "' belongs to an OpenNebula, which backs it up itself (onevm backup): --force does "
                "it all the same, and starts its chain of increments anew"};
  if (!found.persistent)
    note("domain '" + subject.guest.name +
         "' is transient: when it ends, the track of its changes is lost, and the next increment "
         "holds everything");
  for (const auto& disk : subject.guest.disks)
    if (disk.removable())
      note(disk.device + " '" + disk.target + "' is not backed up: it is a removable medium");
  note_left_out(xml.root());
  return subject;
}

// The disks with their ids; links to their files in the machine's directory, where drivers look.
std::vector<messages::VmDisk> take_disks(App& app, int vm, const guest::Guest& guest, Mode& mode) {
  std::vector<messages::VmDisk> disks;
  mode = Mode::full;
  for (auto& disk : guest::backup_disks(guest)) try {
      const auto file = guest::probe(disk.source, disk.format);
      if (file.tracks_changes) mode = Mode::increment;
      const int id = app.store().disk_id(vm, disk.target, disk.source);
      disks.push_back({.id = id, .disk = std::move(disk), .virtual_size = file.virtual_size});
    } catch (const Error& error) {
      throw Error{"disk '" + disk.target + "' of domain '" + guest.name + "': " + error.what()};
    }
  return disks;
}

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
  const auto subject = find(app, options);
  auto vm = app.store().vm_for(subject.guest.uuid, subject.guest.name);
  const auto lock = app.lock(vm);
  refuse_if_busy(vm);
  settle(app, vm);
  vm = app.store().vm_for(subject.guest.uuid, subject.guest.name);

  Mode mode;
  const auto disks = take_disks(app, vm.id, subject.guest, mode);
  state::Wish wish{
      .mode = mode, .disks = {}, .datastore = state::default_datastore, .full = options.full};
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
}

}  // namespace cli
