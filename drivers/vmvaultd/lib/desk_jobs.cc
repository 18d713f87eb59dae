// SPDX-License-Identifier: Apache-2.0
// Orders about backup jobs and schedules (contract 5.7, 5.8).
#include <algorithm>

#include "common/error.h"
#include "common/number.h"
#include "common/one/template.h"
#include "drivers/lib/vm_config.h"
#include "drivers/vmvaultd/lib/desk.h"
#include "drivers/vmvaultd/lib/words.h"

namespace vmvaultd {
namespace {

int number(const std::string& name, const std::string& value, int least, int most = INT_MAX) {
  if (const auto found = parse_int(value, least, most)) return *found;
  throw BadRequest{name + " of a job is a number, not '" + one_line(value) + "'"};
}

bool yes(const std::string& name, const std::string& value) {
  if (value == "YES" || value == "NO") return value == "YES";
  throw BadRequest{name + " of a job is YES or NO, not '" + one_line(value) + "'"};
}

std::vector<int> vms(const std::string& list) {
  std::vector<int> all;
  for (std::size_t begin = 0; begin < list.size();) {
    const auto end = std::min(list.find(',', begin), list.size());
    all.push_back(number("BACKUP_VMS", list.substr(begin, end - begin), 0));
    begin = end + 1;
  }
  return all;
}

Job::Execution execution(const std::string& value) {
  if (value == "SEQUENTIAL") return Job::Execution::sequential;
  if (value == "PARALLEL") return Job::Execution::parallel;
  throw BadRequest{"EXECUTION of a job is SEQUENTIAL or PARALLEL, not '" + one_line(value) + "'"};
}

// What of the template the scheduler is told; the rest is for the backups of its machines.
void take(Job& job, const Attributes& attributes) {
  job.vms.clear();
  job.datastore = -1;
  job.execution = Job::Execution::sequential;
  job.reset = false;
  job.window.reset();
  for (const auto& [name, value] : attributes) {
    if (name == "BACKUP_VMS") job.vms = vms(value);
    if (name == "DATASTORE_ID") job.datastore = number(name, value, -1);
    if (name == "PRIORITY") job.priority = number(name, value, 0, 99);
    if (name == "EXECUTION") job.execution = execution(value);
    if (name == "RESET") job.reset = yes(name, value);
    if (name == "BACKUP_WINDOW" && !value.empty()) job.window = Window::parse(value);
  }
}

// PRIORITY is no part of it (contract 5.7).
std::string text(const Attributes& attributes) {
  one::Template all;
  for (const auto& [name, value] : attributes)
    if (name != "PRIORITY") all.push_back({.name = name, .value = value});
  return one::to_text(all);
}

}  // namespace

Job Desk::job(int id) const {
  const auto all = manager_.scheduler().state().jobs;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.id == id; });
  if (found == all.end()) throw NoSuchObject{"backup job", id};
  return *found;
}

Attributes Desk::job_attributes(int id) const {
  Attributes all;
  for (const auto& attribute : one::parse_template(pools_.job_template(id)))
    if (const auto* value = std::get_if<std::string>(&attribute.value))
      all[attribute.name] = *value;
  return all;
}

void Desk::put_job(int id, const Attributes& attributes) {
  state::job_config(attributes);
  Job wanted = manager_.scheduler().has_job(id) ? job(id) : Job{.id = id};
  const auto before = wanted.vms;
  take(wanted, attributes);
  if (wanted.datastore >= 0) insist_on_datastore(wanted.datastore);
  for (const int one : wanted.vms) vm(one);
  store_.together([&] {
    pools_.put_job_template(id, text(attributes));
    manager_.change([&](Scheduler& core) { core.put(wanted); });
    // Their chains were this job's (contract 4.10).
    for (const int one : before)
      if (std::find(wanted.vms.begin(), wanted.vms.end(), one) == wanted.vms.end())
        manager_.begin_anew(one, "it is no longer in job " + std::to_string(id));
  });
  manager_.settings_changed(clock_());
}

int Desk::create_job(const std::string& name, int owner, const Attributes& attributes) {
  if (name.empty()) throw BadRequest{"a backup job has a name"};
  int id = -1;
  store_.together([&] {
    id = pools_.new_job(name, owner, "");
    put_job(id, attributes);
  });
  return id;
}

void Desk::update_job(int id, const Attributes& attributes, bool append) {
  const auto now = job(id);
  auto all = append ? job_attributes(id) : Attributes{};
  // A machine that was undefined has left the job; if it is there again, it may be another's.
  if (append) all["BACKUP_VMS"] = words::list(now.vms);
  for (const auto& [name, value] : attributes) all[name] = value;
  std::erase_if(all, [](const auto& one) { return one.first == "PRIORITY"; });
  put_job(id, all);
}

void Desk::rename_job(int id, const std::string& name) {
  job(id);
  if (name.empty()) throw BadRequest{"a backup job has a name"};
  pools_.rename_job(id, name);
}

void Desk::set_job_priority(int id, int priority) {
  auto changed = job(id);
  changed.priority = priority;
  manager_.change([&](Scheduler& core) { core.put(changed); });
}

void Desk::delete_job(int id) {
  const auto gone = job(id);
  const auto actions = manager_.scheduler().state().actions;
  store_.together([&] {
    manager_.change([&](Scheduler& core) {
      for (const auto& one : actions)
        if (one.subject == Subject::job && one.parent == id) core.remove_action(one.id);
      core.remove_job(id);
    });
    for (const int one : gone.vms)
      manager_.begin_anew(one, "job " + std::to_string(id) + " that it was in is deleted");
  });
  manager_.settings_changed(clock_());
}

void Desk::execute_job(int id) {
  const auto wanted = job(id);
  if (wanted.datastore < 0)
    throw WrongState{"backup job " + std::to_string(id) + " has no DATASTORE_ID"};
  const auto states = manager_.scheduler().job_states(id);
  for (const auto state : states)
    if (state == JobState::outdated || state == JobState::backing_up)
      throw WrongState{"backup job " + std::to_string(id) + " is being carried out"};
  manager_.change([&](Scheduler& core) { core.execute(id, clock_()); });
}

void Desk::cancel_job(int id) {
  job(id);
  manager_.cancel_job(id, clock_());
}

void Desk::retry_job(int id) {
  job(id);
  manager_.change([&](Scheduler& core) { core.retry(id, clock_()); });
}

void Desk::insist_on_parent(const Action& action) const {
  if (action.subject == Subject::job)
    job(action.parent);
  else
    vm(action.parent);
  if (action.subject == Subject::vm) {
    insist_on_datastore(action.datastore);
    insist_on_no_job(action.parent);
  }
  check(action);
}

Action Desk::action(Subject subject, int parent, int id) const {
  for (const auto& one : manager_.scheduler().state().actions)
    if (one.id == id && one.subject == subject && one.parent == parent) return one;
  throw NoSuchObject{"scheduled action", id};
}

int Desk::add_action(const Action& wanted) {
  insist_on_parent(wanted);
  auto added = wanted;
  store_.together([&] {
    added.id = pools_.new_action();
    added.anchor = added.time;
    added.done = -1;
    manager_.change([&](Scheduler& core) { core.put(added); });
  });
  return added.id;
}

void Desk::update_action(const Action& wanted) {
  const auto before = action(wanted.subject, wanted.parent, wanted.id);
  insist_on_parent(wanted);
  auto changed = wanted;
  changed.done = before.done;
  changed.anchor = changed.time == before.time ? before.anchor : changed.time;
  manager_.change([&](Scheduler& core) { core.put(changed); });
}

void Desk::remove_action(Subject subject, int parent, int id) {
  action(subject, parent, id);
  manager_.change([&](Scheduler& core) { core.remove_action(id); });
}

}  // namespace vmvaultd
