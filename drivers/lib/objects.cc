// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/objects.h"

#include <array>
#include <ctime>

#include "common/error.h"
#include "drivers/lib/object_parts.h"

namespace objects {
namespace {

// Numbers of contract 1.2.
constexpr int backup_image = 6;
constexpr int vm_active = 3, vm_done = 6, lcm_init = 0, lcm_running = 3, lcm_unknown = 16,
              lcm_backup = 69, lcm_restore = 71;

int number_of(state::ImageState state) {
  switch (state) {
    case state::ImageState::ready:
      return 1;
    case state::ImageState::locked:
      return 4;
    case state::ImageState::error:
      return 5;
    case state::ImageState::deleting:
      return 7;
  }
  return 5;
}

// As the stock core names them (contract 7.9), with the year.
std::string image_name(const state::ImageRecord& image) {
  std::tm parts{};
  const std::time_t time = image.created;
  localtime_r(&time, &parts);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), " %d-%b-%Y %H.%M.%S", &parts);
  return std::to_string(image.vm) + text.data();
}

void increments(XmlWriter& out, const state::ImageRecord& image) {
  out.open("BACKUP_INCREMENTS");
  if (image.mode == Mode::increment)
    for (int parent = -1; const auto& one : image.increments) {
      out.open("INCREMENT").number("DATE", one.date).number("ID", one.id);
      out.number("PARENT_ID", parent).number("SIZE", one.size_mib).text("SOURCE", one.source);
      out.text("TYPE", parent < 0 ? "FULL" : "INCREMENT").close("INCREMENT");
      parent = one.id;
    }
  out.close("BACKUP_INCREMENTS");
}

std::int64_t size_of(const state::ImageRecord& image) {
  std::int64_t size = 0;
  for (const auto& one : image.increments) size += one.size_mib;
  return size;
}

void backups(XmlWriter& out, const state::VmView& vm, const Attributes& config) {
  auto all = config;
  if (vm.job >= 0) all["BACKUP_JOB_ID"] = std::to_string(vm.job);
  all["INCREMENTAL_BACKUP_ID"] = std::to_string(vm.vm.active_image.value_or(-1));
  all["LAST_INCREMENT_ID"] = std::to_string(vm.last_increment);
  if (vm.running) all["LAST_DATASTORE_ID"] = std::to_string(vm.running->datastore);
  out.open("BACKUPS").open("BACKUP_CONFIG");
  for (const auto& [name, value] : all) out.text(name, value);
  out.close("BACKUP_CONFIG").ids("BACKUP_IDS", vm.images).close("BACKUPS");
}

void disks(XmlWriter& out, const state::VmView& vm) {
  for (const auto& disk : vm.disks) {
    out.open("DISK").number("DISK_ID", disk.id).text("SOURCE", disk.source);
    out.text("TARGET", disk.target).text("TYPE", "FILE").close("DISK");
  }
}

void history(XmlWriter& out, const state::VmView& vm) {
  out.open("HISTORY_RECORDS");
  if (vm.host >= 0) {
    out.open("HISTORY").number("OID", vm.vm.id).number("SEQ", 0).text("HOSTNAME", vm.host_name);
    out.number("HID", vm.host).number("CID", 0).number("STIME", 0).number("ETIME", 0);
    out.text("VM_MAD", "kvm").text("TM_MAD", "qcow2").number("DS_ID", 0);
    for (const auto* name : {"PLAN_ID", "ACTION_ID"}) out.number(name, -1);
    for (const auto* name : {"PSTIME", "PETIME", "RSTIME", "RETIME", "ESTIME", "EETIME", "ACTION"})
      out.number(name, 0);
    for (const auto* name : {"UID", "GID", "REQUEST_ID"}) out.number(name, -1);
    out.close("HISTORY");
  }
  out.close("HISTORY_RECORDS");
}

void action_ids(XmlWriter& out, const std::vector<state::ActionView>& actions) {
  out.open("SCHED_ACTIONS");
  for (const auto& one : actions) out.number("ID", one.id);
  out.close("SCHED_ACTIONS");
}

// A template's names may begin with a digit, and those of elements may not.
std::string element_name(const std::string& name) {
  return name.front() >= '0' && name.front() <= '9' ? "_" + name : name;
}

}  // namespace

void identity(XmlWriter& out, int id, int owner, std::string_view name, const Owners& owners) {
  const auto& whose = owners.of(owner);
  out.number("ID", id).number("UID", owner).number("GID", static_cast<int>(whose.group));
  out.text("UNAME", whose.name).text("GNAME", state::name_of(whose.group)).text("NAME", name);
}

void permissions(XmlWriter& out, int group) {
  out.open("PERMISSIONS");
  constexpr std::array<std::string_view, 9> names{"OWNER_U", "OWNER_M", "OWNER_A",
                                                  "GROUP_U", "GROUP_M", "GROUP_A",
                                                  "OTHER_U", "OTHER_M", "OTHER_A"};
  const std::array<int, 9> values{1, 1, 0, group, 0, 0, group, 0, 0};
  for (std::size_t at = 0; at < names.size(); ++at) out.number(names[at], values[at]);
  out.close("PERMISSIONS");
}

void add_progress(XmlWriter& out, const std::optional<ProgressReport>& progress) {
  if (!progress) return;
  out.text("STEP", progress->step);
  out.number("DONE", static_cast<std::int64_t>(progress->done));
  out.number("TOTAL", static_cast<std::int64_t>(progress->total));
}

Owners::Owners(const std::vector<state::UserRecord>& users) {
  for (const auto& one : users) owners_[one.id] = {.name = one.name, .group = one.group};
}

const Owners::Owner& Owners::of(int user) const {
  const auto found = owners_.find(user);
  return found == owners_.end() ? unknown_ : found->second;
}

std::string image(const state::ImageView& view, const Owners& owners) {
  const auto& one = view.image;
  XmlWriter out;
  out.open("IMAGE");
  identity(out, one.id, one.owner, image_name(one), owners);
  permissions(out, 0);
  out.number("TYPE", backup_image).number("DISK_TYPE", 0).number("PERSISTENT", 1);
  out.number("REGTIME", one.created);
  out.number("MODTIME", one.increments.empty() ? one.created : one.increments.back().date);
  out.text("SOURCE", one.increments.empty() ? "" : one.increments.front().source);
  out.text("PATH", "").text("FORMAT", "raw").text("FS", "").number("SIZE", size_of(one));
  out.number("STATE", number_of(one.state)).number("PREV_STATE", number_of(one.state));
  out.number("RUNNING_VMS", 1).number("CLONING_OPS", 0).number("CLONING_ID", -1);
  out.number("TARGET_SNAPSHOT", -1).number("DATASTORE_ID", one.datastore);
  out.text("DATASTORE", view.datastore).ids("VMS", std::array{one.vm});
  out.open("CLONES").close("CLONES").open("APP_CLONES").close("APP_CLONES");
  out.open("TEMPLATE");
  if (!one.error.empty()) out.text("ERROR", one.error);
  if (one.is_protected) out.text("PROTECTED", "YES");
  out.text("VM_NAME", view.vm).close("TEMPLATE");
  out.open("SNAPSHOTS").text("ALLOW_ORPHANS", "NO").number("CURRENT_BASE", -1);
  out.number("NEXT_SNAPSHOT", 0).close("SNAPSHOTS");
  increments(out, one);
  out.ids("BACKUP_DISK_IDS", one.disks).close("IMAGE");
  return out.take();
}

std::string vm(const state::VmView& view, const Attributes& config,
               const std::vector<state::ActionView>& actions, const Owners& owners,
               const std::optional<ProgressReport>& progress) {
  const bool there = view.host >= 0;
  const int state = there ? vm_active : vm_done;
  const int lcm = !there           ? lcm_init
                  : view.running   ? lcm_backup
                  : view.restoring ? lcm_restore
                  : !view.host_up  ? lcm_unknown
                                   : lcm_running;
  XmlWriter out;
  out.open("VM");
  identity(out, view.vm.id, view.vm.owner, view.vm.name, owners);
  permissions(out, 0);
  out.number("LAST_POLL", 0).number("STATE", state).number("LCM_STATE", lcm);
  out.number("PREV_STATE", state).number("PREV_LCM_STATE", lcm).number("RESCHED", 0);
  out.number("STIME", 0).number("ETIME", 0).text("DEPLOY_ID", view.vm.uuid);
  out.open("MONITORING");
  add_progress(out, progress);
  out.close("MONITORING");
  action_ids(out, actions);
  out.open("TEMPLATE");
  disks(out, view);
  for (const auto& one : actions) out.raw(scheduled_action(one));
  out.number("VMID", view.vm.id).close("TEMPLATE");
  out.open("USER_TEMPLATE");
  if (!view.error.empty()) out.text("ERROR", view.error);
  if (const auto& last = view.last_failed)
    out.text("BACKUP_ERROR", last->error)
        .number("BACKUP_ERROR_TIME", last->ended.value_or(0))
        .number("BACKUP_ERROR_ATTEMPT", last->id);
  out.close("USER_TEMPLATE");
  history(out, view);
  backups(out, view, config);
  out.close("VM");
  return out.take();
}

std::string job(const state::JobView& view, const std::vector<state::ActionView>& actions,
                const Owners& owners) {
  XmlWriter out;
  out.open("BACKUPJOB");
  identity(out, view.id, view.owner, view.name, owners);
  permissions(out, 0);
  out.number("PRIORITY", view.priority).number("LAST_BACKUP_TIME", view.last_time);
  out.number("LAST_BACKUP_DURATION", view.last_duration);
  action_ids(out, actions);
  for (const auto& [element, word] :
       {std::pair{"UPDATED_VMS", "UPDATED"}, std::pair{"OUTDATED_VMS", "OUTDATED"},
        std::pair{"BACKING_UP_VMS", "BACKING_UP"}, std::pair{"ERROR_VMS", "ERROR"}}) {
    const auto found = view.states.find(word);
    out.ids(element, found == view.states.end() ? std::vector<int>{} : found->second);
  }
  out.open("TEMPLATE");
  out.raw(attributes_of(view.job_template));
  for (const auto& one : actions) out.raw(scheduled_action(one));
  return out.close("TEMPLATE").close("BACKUPJOB").take();
}

std::string scheduled_action(const state::ActionView& action) {
  XmlWriter out;
  out.open("SCHED_ACTION").number("ID", action.id).number("PARENT_ID", action.parent);
  out.text("TYPE", action.subject).text("ACTION", "backup");
  out.text("ARGS", action.subject == "VM"
                       ? std::to_string(action.datastore) + "," + (action.reset ? "1" : "0")
                       : "");
  out.number("TIME", action.time).number("REPEAT", action.repeat).text("DAYS", action.days);
  out.number("END_TYPE", action.end_type).number("END_VALUE", action.end_value);
  out.number("DONE", action.done).text("MESSAGE", action.message).text("WARNING", "");
  return out.close("SCHED_ACTION").take();
}

std::string pool(std::string_view name, const std::vector<std::string>& objects) {
  std::size_t size = 0;
  for (const auto& one : objects) size += one.size();
  std::string text;
  text.reserve(size + 2 * name.size() + 5);
  text.append("<").append(name).append(">");
  for (const auto& one : objects) text += one;
  return text.append("</").append(name).append(">");
}

std::string attributes_of(const std::string& text) {
  try {
    return attributes(one::parse_template(text));
  } catch (const BadRequest&) {  // of an older program
    return XmlWriter{}.text("ERROR", "the template cannot be read").take();
  }
}

std::string attributes(const one::Template& attributes) {
  XmlWriter out;
  for (const auto& one : attributes) {
    const auto element = element_name(one.name);
    if (const auto* text = std::get_if<std::string>(&one.value)) {
      out.text(element, *text);
      continue;
    }
    out.open(element);
    for (const auto& [name, value] : std::get<one::Pairs>(one.value))
      out.text(element_name(name), value);
    out.close(element);
  }
  return out.take();
}

}  // namespace objects
