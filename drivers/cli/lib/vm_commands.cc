// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <ctime>

#include "common/error.h"
#include "common/number.h"
#include "common/one/running.h"
#include "common/one/template.h"
#include "drivers/cli/lib/backup.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/object_commands.h"
#include "drivers/cli/lib/objects.h"
#include "drivers/cli/lib/scheduled.h"
#include "drivers/cli/lib/watch.h"
#include "drivers/cli/lib/when.h"

namespace cli {
namespace {

constexpr std::chrono::seconds patience{300};

struct BackupWords {
  std::string vm, datastore;
  ScheduleWords schedule;
  bool reset = false, wait = false;
};

void schedule_backup(const Core& service, int vm, int datastore, const BackupWords& words) {
  if (words.wait) throw BadRequest{"--wait is for a backup that begins now"};
  if (datastore < 0) throw BadRequest{"a backup at another time needs a datastore (-d)"};
  const auto now = std::time(nullptr);
  auto action = scheduled_action(words.schedule, now);
  std::get<one::Pairs>(action.value)
      .emplace_back("ARGS", std::to_string(datastore) + (words.reset ? ",1" : ",0"));
  const int id =
      service.number("one.vm.schedadd", {vm, one::to_text({std::move(action)})}, patience);
  std::printf("VM %d will be backed up at %s%s ('vmvault vm sched-delete %d %d' undoes that)\n", vm,
              local_time(parse_when(words.schedule.at, now)).c_str(),
              is_repeated(words.schedule) ? ", for the first time" : "", vm, id);
}

// What libvirt calls it may have had no backup, and no number, yet.
std::string domain_of(Context& with, const std::string& word) {
  const auto id = parse_int(word, 0);
  if (!id) return word;
  const auto machine = with.app().store().vm(*id);
  if (!machine) throw Error{"there is no vm " + word + " ('vmvault vm list' shows what there is)"};
  return machine->uuid;
}

void backup_here(Context& with, const BackupWords& words) {
  if (is_scheduled(words.schedule)) with.service();  // the Error that says so
  BackupOptions options{
      .domain = domain_of(with, words.vm), .full = words.reset, .freeze = {}, .datastore = {}};
  if (!words.datastore.empty())
    options.datastore = object_id(with, Kind::datastore, words.datastore);
  backup(with.app(), options);
}

void order_backup(Context& with, const BackupWords& words) {
  const auto* service = with.running_service();
  if (!service) return backup_here(with, words);
  const int vm = object_id(with, Kind::vm, words.vm);
  const int datastore =
      words.datastore.empty() ? -1 : object_id(with, Kind::datastore, words.datastore);
  if (is_scheduled(words.schedule)) return schedule_backup(*service, vm, datastore, words);
  const auto before = words.wait ? backups_there(*service, vm) : BackupsThere{};
  service->number("one.vm.backup", {vm, datastore, words.reset}, patience);
  if (words.wait) return watch_backup(*service, vm, before);
  std::printf("a backup of VM %d is ordered ('vmvault queue' shows what it waits for)\n", vm);
}

void cancel_backup(Context& with, const std::string& word) {
  const int vm = object_id(with, Kind::vm, word);
  if (const auto* service = with.running_service())
    service->number("one.vm.backupcancel", {vm}, patience);
  else if (stop_workers(vm, {"orchestrator"}) == 0)
    throw Error{"no backup of VM " + std::to_string(vm) + " runs here"};
  std::printf("the backup of VM %d is cancelled\n", vm);
}

struct RestoreWords {
  std::string vm, image;
  int increment = -1, disk = -1;
  bool wait = false;
};

void restore_in_place(Context& with, const RestoreWords& words) {
  const int vm = object_id(with, Kind::vm, words.vm);
  const int image = object_id(with, Kind::image, words.image);
  const auto& service = with.service();
  service.number("one.vm.restore", {vm, image, words.increment, words.disk}, patience);
  if (words.wait) return watch_restore(service, vm, image);
  std::printf("VM %d is being restored from image %d ('vmvault vm show %d' says why if it fails)\n",
              vm, image, vm);
}

void add_backup_verbs(Tree& tree, CLI::App* command) {
  auto words = std::make_shared<BackupWords>();
  auto* verb = command->add_subcommand("backup", "Back it up, as soon as the limits allow it");
  add_id(verb, Kind::vm, words->vm);
  verb->add_option("-d,--datastore", words->datastore, "Where to (default: as it is configured)")
      ->type_name(info(Kind::datastore).element);
  add_schedule_options(verb, words->schedule);
  verb->add_flag("--reset", words->reset, "Begin a new chain");
  add_wait(verb, words->wait);
  tree.does(verb, words, order_backup);

  verb = command->add_subcommand("backup-cancel", "End its backup, or do not begin it");
  add_id(verb, Kind::vm, words->vm);
  tree.does(verb, words, [](Context& with, auto& one) { cancel_backup(with, one.vm); });
  add_schedule_removal(tree, command, Kind::vm);
}

}  // namespace

void add_vm_commands(Tree& tree) {
  auto* command = add_object(tree, Kind::vm, "The virtual machines");
  add_backup_verbs(tree, command);
  add_chown(tree, command, Kind::vm);
  auto restore_words = std::make_shared<RestoreWords>();
  auto* verb = command->add_subcommand("restore", "Put its disks back as they were; it is off");
  add_id(verb, Kind::vm, restore_words->vm);
  verb->add_option("IMAGE", restore_words->image, "The backup, by number or name")
      ->type_name(info(Kind::image).element)
      ->required();
  verb->add_option("--increment", restore_words->increment, "As of this one (default: the last)")
      ->type_name(type::number);
  verb->add_option("--disk-id", restore_words->disk, "Only this disk")->type_name(type::number);
  add_wait(verb, restore_words->wait);
  tree.does(verb, restore_words, restore_in_place);
  add_update(tree, command, Kind::vm, "How it is backed up: BACKUP_CONFIG = [ ... ]", "updateconf");
}

}  // namespace cli
