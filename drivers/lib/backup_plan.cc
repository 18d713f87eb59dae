// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/backup_plan.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/error.h"
#include "common/one/config.h"
#include "common/random.h"
#include "drivers/lib/next_backup.h"
#include "drivers/lib/provider.h"
#include "drivers/lib/vm_config.h"

namespace fs = std::filesystem;

namespace state {
namespace {

void choose(std::vector<messages::VmDisk>& disks, const std::vector<int>& ids) {
  for (const int id : ids)
    if (std::none_of(disks.begin(), disks.end(), [&](const auto& one) { return one.id == id; }))
      throw Error{"DISK_IDS names disk " + std::to_string(id) +
                  ", which the machine does not have"};
  if (!ids.empty())
    std::erase_if(disks, [&](const auto& one) {
      return std::find(ids.begin(), ids.end(), one.id) == ids.end();
    });
}

// The marks follow a machine to another host: without them the next increment holds everything.
std::string follow(const Home& home, const VmRecord& vm, const std::string& host, bool chain) {
  const auto last = home.last_host(vm.uuid);
  if (last == host) return "";
  std::string why;
  if (chain) {
    std::optional<std::string> marks;
    try {
      marks = guest::MachineFiles{last}.marks(home.dir_on(last, vm.uuid, vm.id));
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& error) {
      why = error.what();
    }
    if (marks) guest::MachineFiles{host}.put_marks(home.dir_on(host, vm.uuid, vm.id), *marks);
  }
  home.note_last_host(vm.uuid, host);
  return why;
}

}  // namespace

BackupPlan plan_backup(Store& store, const Home& home, int vm, const guest::Subject& subject,
                       const BackupWish& wish) {
  const auto machine = store.vm(vm);
  if (!machine) throw Error{"there is no machine " + std::to_string(vm)};
  const auto config = parse_config(effective_config(store, vm));
  Mode mode;
  auto disks =
      guest::take_disks(store, vm, subject.guest, mode, guest::MachineFiles{wish.host.host});
  choose(disks, config.disks);
  const auto datastore = store.datastore(wish.datastore);
  const bool full =
      config.mode == Mode::full || (datastore && !capabilities(home, *datastore).increments);
  if (full) mode = Mode::full;
  Wish next_wish{.mode = mode,
                 .disks = {},
                 .datastore = wish.datastore,
                 .owner = machine->owner,
                 .full = wish.full};
  for (const auto& disk : disks) next_wish.disks.push_back(disk.id);
  const auto active = machine->active_image ? store.image(*machine->active_image) : std::nullopt;
  const auto next = next_backup(active, next_wish);

  const auto dir = prepare_dir(home, *machine, wish.host, disks);
  auto why_whole = follow(home, *machine, wish.host.host, next.image.has_value());
  const auto name = random_hex(8);
  const auto usual = subject.running && subject.guest.agent ? Freeze::agent : Freeze::none;
  const messages::VmMessage message{
      .vm_id = vm,
      .guest = subject.guest,
      .disks = disks,
      .running = subject.running,
      .config = {.mode = mode,
                 .freeze = wish.freeze ? *wish.freeze : config.freeze.value_or(usual),
                 .last_increment_id = next.last_increment,
                 .capture = name,
                 .last_capture =
                     next.image ? std::optional{active->increments.back().capture} : std::nullopt,
                 .chain = next.image ? std::optional{active->chain()} : std::nullopt,
                 .stored = store.stored_in(vm, wish.datastore),
                 .previous_increment_id = next.image || !active ? -1 : active->last_increment(),
                 .last_datastore_id = wish.datastore,
                 .last_bridge = {}},
      .host = wish.host.host,
      .last_source = store.newest_source(vm)};
  // Not within the braces: g++ 12 destroys twice what is there when one of these throws.
  auto directory = backup_dir(dir, vm);
  auto document = messages::backup_action(message, dir, home.datastore(wish.datastore)).dump();
  return {.attempt = {.id = -1,
                      .vm = vm,
                      .image = next.image,
                      .increment = next.increment(),
                      .datastore = wish.datastore,
                      .mode = mode,
                      .disks = next_wish.disks,
                      .dir = std::move(directory),
                      .started = wish.now,
                      .capture = name,
                      .ended = {},
                      .error = {}},
          .document = std::move(document),
          .why_anew = next.why,
          .why_whole = std::move(why_whole)};
}

fs::path prepare_dir(const Home& home, const VmRecord& vm, const guest::HostUri& host,
                     const std::vector<messages::VmDisk>& disks) {
  if (!host.is_here()) home.note_host(host.host, host.there);
  const auto dir = home.dir_on(host.host, vm.uuid, vm.id);
  std::map<int, fs::path> files;
  for (const auto& one : disks) files[one.id] = one.disk.source;
  guest::MachineFiles{host.host}.link(dir, files);
  return dir;
}

}  // namespace state
