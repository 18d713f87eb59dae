// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "common/number.h"
#include "drivers/vmvaultd/lib/api_methods.h"

namespace api {
namespace {

int job_of(Request& request) {
  const int job = request.number(1);
  request.need_job(job);
  return job;
}

// What only admins may say: machines of others, and a priority before others.
void check_rights(Request& request, const vmvaultd::Attributes& attributes) {
  if (const auto found = attributes.find("BACKUP_VMS"); found != attributes.end())
    for (std::size_t at = 0; at < found->second.size();) {
      const auto end = std::min(found->second.find(',', at), found->second.size());
      if (const auto vm = parse_int(found->second.substr(at, end - at))) request.need_vm(*vm);
      at = end + 1;
    }
  if (const auto found = attributes.find("PRIORITY"); found != attributes.end())
    request.need_right_to(parse_int(found->second).value_or(0));
}

struct Wanted {
  std::string name;
  vmvaultd::Attributes attributes;
  std::vector<vmvaultd::Action> actions;
};

Wanted read(Request& request, const std::string& text) {
  Wanted wanted;
  one::Template rest;
  for (auto& one : parse(text)) {
    if (one.name == "SCHED_ACTION" && std::holds_alternative<one::Pairs>(one.value)) {
      wanted.actions.push_back(action_of(one::to_text({one}), {.subject = vmvaultd::Subject::job}));
      check(wanted.actions.back());  // before there is a job
    } else if (one.name == "NAME" && std::holds_alternative<std::string>(one.value)) {
      wanted.name = std::get<std::string>(one.value);
    } else {
      rest.push_back(std::move(one));
    }
  }
  wanted.attributes = flat(rest);
  check_rights(request, wanted.attributes);
  return wanted;
}

Argument allocate(Request& request) {
  auto wanted = read(request, request.text(1));
  if (wanted.name.empty()) throw Failure{Code::allocate, "a backup job needs a NAME"};
  const int owner = request.caller().id;
  return std::int64_t{request.order([&](auto& orders) {
    const int job = orders.create_job(wanted.name, owner, wanted.attributes);
    for (auto& action : wanted.actions) {
      action.parent = job;
      orders.add_action(action);
    }
    return job;
  })};
}

Argument update(Request& request) {
  const int job = job_of(request);
  const auto wanted = read(request, request.text(2));
  const bool append = request.call().number(3, 0) != 0;
  request.order([&](auto& orders) { orders.update_job(job, wanted.attributes, append); });
  return std::int64_t{job};
}

Argument rename(Request& request) {
  const int job = job_of(request);
  const auto& name = request.text(2);
  request.order([&](auto& orders) { orders.rename_job(job, name); });
  return std::int64_t{job};
}

Argument set_priority(Request& request) {
  const int job = job_of(request), priority = request.number(2);
  request.need_right_to(priority);
  request.order([=](auto& orders) { orders.set_job_priority(job, priority); });
  return std::int64_t{job};
}

Argument change_owner(Request& request) {
  request.need_admin();
  const int job = job_of(request), user = request.number(2);
  if (user < 0) return std::int64_t{job};
  const auto whose = request.users().user(user);
  if (!whose) throw no_such("USER", user);
  const auto jobs = request.views().jobs(state::only(job));
  for (const int vm : jobs.at(0).vms)
    if (!whose->is_admin() && request.users().owner(state::Owned::vm, vm) != user)
      throw Failure{Code::action, "VM " + std::to_string(vm) + " of the job is another's", job};
  request.users().set_owner(state::Owned::job, job, user);
  return std::int64_t{job};
}

using Order = void (vmvaultd::Orders::*)(int);

Method of_job(Order order) {
  return [order](Request& request) -> Argument {
    const int job = job_of(request);
    request.order([=](auto& orders) { (orders.*order)(job); });
    return std::int64_t{job};
  };
}

Argument info(Request& request) { return request.answers().job(job_of(request)).value(); }

Argument pool(Request& request) { return request.answers().jobs(page_of(request, 1)); }

Argument add_action(Request& request) {
  const int job = job_of(request);
  const auto action =
      action_of(request.text(2), {.subject = vmvaultd::Subject::job, .parent = job});
  return std::int64_t{request.order([&](auto& orders) { return orders.add_action(action); })};
}

Argument update_action(Request& request) {
  const int job = job_of(request), id = request.number(2);
  const auto all = request.views().actions("BACKUPJOB", job);
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.id == id; });
  if (found == all.end()) throw no_such("SCHED_ACTION", id);
  const auto action = action_of(request.text(3), action_of(*found));
  request.order([&](auto& orders) { orders.update_action(action); });
  return std::int64_t{job};
}

Argument remove_action(Request& request) {
  const int job = job_of(request), action = request.number(2);
  request.order([=](auto& orders) { orders.remove_action(vmvaultd::Subject::job, job, action); });
  return std::int64_t{job};
}

}  // namespace

void add_job_methods(Methods& methods) {
  methods["one.backupjob.allocate"] = allocate;
  methods["one.backupjob.update"] = update;
  methods["one.backupjob.rename"] = rename;
  methods["one.backupjob.priority"] = set_priority;
  methods["one.backupjob.chown"] = change_owner;
  methods["one.backupjob.delete"] = of_job(&vmvaultd::Orders::delete_job);
  methods["one.backupjob.backup"] = of_job(&vmvaultd::Orders::execute_job);
  methods["one.backupjob.cancel"] = of_job(&vmvaultd::Orders::cancel_job);
  methods["one.backupjob.retry"] = of_job(&vmvaultd::Orders::retry_job);
  methods["one.backupjob.info"] = info;
  methods["one.backupjob.schedadd"] = add_action;
  methods["one.backupjob.schedupdate"] = update_action;
  methods["one.backupjob.scheddelete"] = remove_action;
  methods["one.backupjobpool.info"] = pool;
}

}  // namespace api
