// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "common/number.h"
#include "drivers/vmvaultd/lib/api_methods.h"

namespace api {
namespace {

// What the core itself keeps in BACKUP_CONFIG: it comes back with an edited one, and is left out.
bool is_the_cores(const std::string& name) {
  constexpr std::array names{"ACTIVE_FLATTEN", "BACKUP_JOB_ID", "INCREMENTAL_BACKUP_ID"};
  return name.starts_with("LAST_") || std::find(names.begin(), names.end(), name) != names.end();
}

vmvaultd::Attributes backup_config(const std::string& text) {
  const auto parsed = parse(text);
  vmvaultd::Attributes config;
  for (const auto& one : parsed) {
    const auto* pairs = std::get_if<one::Pairs>(&one.value);
    if (one.name != "BACKUP_CONFIG" || !pairs)
      throw Failure{Code::api, "only BACKUP_CONFIG = [ ... ] can be changed here"};
    for (const auto& [name, value] : *pairs)
      if (!is_the_cores(name)) config[name] = value;
  }
  return config;
}

int vm_of(Request& request) {
  const int vm = request.number(1);
  request.need_vm(vm);
  return vm;
}

Argument info(Request& request) { return request.answers().vm(vm_of(request)).value(); }

// (filter, start, end, state, ...)
Argument pool(Request& request) {
  constexpr int any = -2, not_done = -1, active = 3, done = 6;
  auto page = page_of(request, 1);
  const int state = request.call().number(4, not_done);
  if (state == not_done || state == active)
    page.there = true;
  else if (state == done)
    page.there = false;
  else if (state != any)
    return objects::pool("VM_POOL", {});  // nobody is ever in another
  return request.answers().vms(page);
}

Argument backup(Request& request) {
  const int vm = vm_of(request), datastore = request.number(2);
  const bool reset = request.call().flag(3, false);
  request.order([=](auto& orders) { orders.backup(vm, datastore, reset); });
  return std::int64_t{vm};
}

Argument cancel(Request& request) {
  const int vm = vm_of(request);
  request.order([=](auto& orders) { orders.cancel(vm); });
  return std::int64_t{vm};
}

// What it has already is in what somebody gets to edit.
std::optional<int> changed(Request& request, int vm, const vmvaultd::Attributes& config,
                           const char* name) {
  const auto wanted = config.find(name);
  if (wanted == config.end()) return std::nullopt;
  const auto now = request.store().settings(state::Store::Subject::vm, vm);
  const auto had = now.find(name);
  if (had != now.end() && had->second == wanted->second) return std::nullopt;
  return parse_int(wanted->second);
}

// Backups whose RPO is near go before all others: a short one is for admins.
void check_rpo(Request& request, int vm, int wanted) {
  constexpr vmvaultd::Time day = 86400;
  if (wanted <= 0 || wanted >= day) return;
  const auto usual = request.order([=](auto& orders) { return orders.usual_rpo(vm); });
  if (usual == 0 || wanted < usual) request.need_admin();
}

// (id, template, 0 replace | 1 merge)
Argument configure(Request& request) {
  const int vm = vm_of(request);
  const auto config = backup_config(request.text(2));
  if (const auto priority = changed(request, vm, config, "PRIORITY"))
    request.need_right_to(*priority);
  if (const auto rpo = changed(request, vm, config, "RPO")) check_rpo(request, vm, *rpo);
  const bool append = request.call().number(3, 0) != 0;
  request.order([&](auto& orders) { orders.configure_vm(vm, config, append); });
  return std::int64_t{vm};
}

// Whose job backs up a machine has a say in it.
void refuse_job_of_another(Request& request, int vm, int user) {
  const int job = request.views().vms(state::only(vm)).at(0).job;
  const int owner = job < 0 ? user : request.users().owner(state::Owned::job, job).value_or(user);
  const auto whose = request.users().user(owner);
  if (owner != user && whose && !whose->is_admin())
    throw Failure{Code::action,
                  "VM " + std::to_string(vm) + " is in the job " + std::to_string(job) + " of '" +
                      whose->name + "': take it out first",
                  vm};
}

// (id, user, group), -1: as it is.  Groups are their users'.
Argument change_owner(Request& request) {
  request.need_admin();
  const int vm = vm_of(request), user = request.number(2);
  if (user < 0) return std::int64_t{vm};
  if (!request.users().user(user)) throw no_such("USER", user);
  refuse_job_of_another(request, vm, user);
  request.users().set_owner(state::Owned::vm, vm, user);
  return std::int64_t{vm};
}

vmvaultd::Action action_of_vm(Request& request, int vm, int action) {
  for (const auto& one : request.views().actions("VM", vm))
    if (one.id == action) return action_of(one);
  throw no_such("SCHED_ACTION", action);
}

Argument add_action(Request& request) {
  const int vm = vm_of(request);
  const auto action = action_of(request.text(2), {.subject = vmvaultd::Subject::vm, .parent = vm});
  return std::int64_t{request.order([&](auto& orders) { return orders.add_action(action); })};
}

Argument update_action(Request& request) {
  const int vm = vm_of(request);
  const auto action = action_of(request.text(3), action_of_vm(request, vm, request.number(2)));
  request.order([&](auto& orders) { orders.update_action(action); });
  return std::int64_t{vm};
}

Argument remove_action(Request& request) {
  const int vm = vm_of(request), action = request.number(2);
  request.order([=](auto& orders) { orders.remove_action(vmvaultd::Subject::vm, vm, action); });
  return std::int64_t{vm};
}

}  // namespace

void add_vm_methods(Methods& methods) {
  methods["one.vm.info"] = info;
  methods["one.vm.backup"] = backup;
  methods["one.vm.backupcancel"] = cancel;
  methods["one.vm.updateconf"] = configure;
  methods["one.vm.chown"] = change_owner;
  methods["one.vm.schedadd"] = add_action;
  methods["one.vm.schedupdate"] = update_action;
  methods["one.vm.scheddelete"] = remove_action;
  methods["one.vmpool.info"] = pool;
  methods["one.vmpool.infoextended"] = pool;
}

}  // namespace api
