// SPDX-License-Identifier: Apache-2.0
// Orders about machines and their backups.
#include "common/error.h"
#include "drivers/lib/flatten_reply.h"
#include "drivers/lib/vm_config.h"
#include "drivers/vmvaultd/lib/desk.h"

namespace vmvaultd {
namespace {

std::string of_vm(int id) { return "VM " + std::to_string(id); }
std::string of_image(int id) { return "image " + std::to_string(id); }

// What is wrong with a file is no reason for the service to end.
std::optional<state::Reading> nobodys_reading(const state::Home& home, int image) try {
  return state::Reading::nobodys(home, image);
} catch (const Error& error) {
  throw WrongState{error.what()};
}

}  // namespace

state::VmRecord Desk::vm(int id) const {
  if (auto found = store_.vm(id)) return *std::move(found);
  throw NoSuchObject{"VM", id};
}

state::ImageRecord Desk::image(int id) const {
  if (auto found = store_.image(id)) return *std::move(found);
  throw NoSuchObject{"image", id};
}

void Desk::insist_on_datastore(int id) const {
  if (!store_.datastore(id)) throw NoSuchObject{"datastore", id};
}

void Desk::insist_on_no_job(int id) const {
  if (const int job = manager_.scheduler().job_of(id); job >= 0)
    throw WrongState{of_vm(id) + " is backed up by job " + std::to_string(job)};
}

void Desk::backup(int id, int datastore, bool reset) {
  vm(id);
  const auto rules = RuleBook{store_, manager_.usual()}.of(id);
  if (datastore < 0) datastore = rules.datastore;
  insist_on_datastore(datastore);
  if (!manager_.knows(id)) throw WrongState{of_vm(id) + " is not defined on any host"};
  if (manager_.backs_up(id)) throw WrongState{"a backup of " + of_vm(id) + " runs"};
  insist_on_no_job(id);
  manager_.backup(id, datastore, reset, rules.priority, clock_());
}

void Desk::cancel(int id) {
  vm(id);
  if (!manager_.cancel(id, clock_()))
    throw WrongState{"no backup of " + of_vm(id) + " waits or runs that could be cancelled here"};
}

void Desk::configure_vm(int id, const Attributes& config, bool append) {
  vm(id);
  const auto before = store_.settings(state::Store::Subject::vm, id);
  auto change = state::checked_config(config);
  if (const auto named = change.find("DATASTORE_ID");
      named != change.end() && !named->second.empty())
    insist_on_datastore(std::stoi(named->second));
  if (manager_.backs_up(id)) throw WrongState{of_vm(id) + " is being backed up"};
  if (!append)
    for (const auto& [name, value] : before) change.try_emplace(name, "");
  store_.together([&] {
    store_.put_settings(state::Store::Subject::vm, id, change);
    if (state::resets_chain(before, store_.settings(state::Store::Subject::vm, id)))
      manager_.begin_anew(id, "its configuration is another one");
  });
  manager_.settings_changed(clock_());
}

Time Desk::usual_rpo(int id) const {
  const RuleBook book{store_, manager_.usual()};
  return with(manager_.usual(), book.of_datastore(book.of(id).datastore)).rpo;
}

state::ImageRecord Desk::free_image(int id, std::optional<FileLock>& lock) const {
  auto record = image(id);
  if (record.state == state::ImageState::locked)
    throw WrongState{of_image(id) + " is being merged"};
  const auto machine = vm(record.vm);
  if (manager_.is_free(record.vm)) {
    lock = manager_.lock(record.vm);
    if (!lock) throw WrongState{"the command vmvault works on " + of_vm(record.vm)};
  } else if (manager_.backs_up(record.vm) && machine.active_image == id) {
    throw WrongState{"a backup of " + of_vm(record.vm) + " into " + of_image(id) + " runs"};
  }
  return record;
}

// False: there is no such disk image.
bool Desk::mark_disk_deleting(int id) {
  const auto disk = restores_.disk_image(id);
  if (!disk) return false;
  if (disk->state == state::ObjectState::locked)
    throw WrongState{of_image(id) + " is still being made"};
  restores_.mark_deleting(id);
  return true;
}

// Not deleted, nor merged.
state::Reading Desk::insist_unneeded(const state::ImageRecord& record) const {
  if (record.is_protected) throw WrongState{of_image(record.id) + " is protected"};
  if (restores_.origins().contains(record.id))
    throw WrongState{"something is being restored from " + of_image(record.id)};
  if (auto nobodys = nobodys_reading(home_, record.id)) return *std::move(nobodys);
  throw WrongState{state::is_being_read(record.id)};
}

void Desk::delete_image(int id, bool force) {
  if (mark_disk_deleting(id)) return manager_.want_files();
  std::optional<FileLock> lock;
  const auto record = free_image(id, lock);
  const auto nobodys = insist_unneeded(record);
  if (force || record.state != state::ImageState::deleting) store_.mark_deleting(id, force);
  lock.reset();
  manager_.images_changed(record.vm);
}

void Desk::flatten(int id, int keep) {
  std::optional<FileLock> lock;
  const auto record = free_image(id, lock);
  if (keep < 1) throw BadRequest{"at least one increment stays, not " + std::to_string(keep)};
  if (record.half_deleted()) throw WrongState{of_image(id) + " is being deleted"};
  const auto nobodys = insist_unneeded(record);
  if (record.increments.size() <= static_cast<std::size_t>(keep))
    throw WrongState{of_image(id) + " has no more than " +
                     std::to_string(record.increments.size()) + " increments"};
  if (const auto why = state::why_not_merged(record, keep); !why.empty()) throw WrongState{why};
  store_.mark_flattening(id, keep);
  lock.reset();
  manager_.images_changed(record.vm);
}

void Desk::protect(int id, bool is_protected) {
  store_.together([&] {  // a command may delete or merge it just now
    const auto record = image(id);
    if (is_protected && record.half_deleted()) throw WrongState{of_image(id) + " is being deleted"};
    if (is_protected && record.state == state::ImageState::locked)
      throw WrongState{of_image(id) + " is being merged"};
    store_.protect(id, is_protected);
  });
  manager_.images_changed(image(id).vm);
}

}  // namespace vmvaultd
