// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/pools.h"

#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/VariadicBind.h>

#include "drivers/lib/guarded.h"
#include "drivers/lib/whole.h"
#include "drivers/vmvaultd/lib/words.h"

namespace vmvaultd {
namespace {

using state::guarded;

template <class... Values>
void execute(SQLite::Database& db, const char* sql, const Values&... values) {
  SQLite::Statement statement{db, sql};
  SQLite::bind(statement, values...);
  statement.exec();
}

SQLite::Statement& bind_or_null(SQLite::Statement& statement, int index,
                                const std::optional<int>& value) {
  if (value) statement.bind(index, *value);
  return statement;
}

}  // namespace

void Pools::save(const Changes& changes) {
  if (changes.empty()) return;
  guarded(store_.file(), [&] {
    state::Whole whole{store_.database()};
    remove("scheduled_vms", changes.gone_vms);
    remove("jobs", changes.gone_jobs);
    remove("actions", changes.gone_actions);
    for (const auto& vm : changes.vms) save_vm(vm);
    for (const auto& action : changes.actions) save_action(action);
    // A machine may have gone from one of these jobs to another.
    for (const auto& job : changes.jobs)
      execute(store_.database(), "DELETE FROM job_vms WHERE job = ?", job.id);
    for (const auto& job : changes.jobs) save_job(job);
    for (const auto& [vm, requests] : changes.requests) save_requests(vm, requests);
    whole.commit();
  });
}

void Pools::remove(const char* table, const std::vector<int>& ids) {
  const auto sql = std::string{"DELETE FROM "} + table + " WHERE id = ?";
  for (const int id : ids) execute(store_.database(), sql.c_str(), id);
}

void Pools::save_vm(const Vm& vm) {
  execute(store_.database(),
          "INSERT OR REPLACE INTO scheduled_vms (id, host, job_state, rpo, rpo_since, datastore, "
          "last_backup, expected, rpo_state, held_until, held, priority) VALUES (?, ?, ?, ?, ?, ?, "
          "?, ?, ?, ?, ?, ?)",
          vm.id, vm.host, words::job_states[vm.job_state], vm.rpo, vm.rpo_since, vm.datastore,
          vm.last_backup, vm.expected, words::rpo_states[vm.rpo_state], vm.held_until, vm.held,
          vm.priority);
}

void Pools::save_job(const Job& job) {
  execute(store_.database(),
          "INSERT INTO jobs (id, datastore, priority, execution, reset, hours, last_time, "
          "last_duration) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
          "datastore = excluded.datastore, priority = excluded.priority, execution = "
          "excluded.execution, reset = excluded.reset, hours = excluded.hours, last_time = "
          "excluded.last_time, last_duration = excluded.last_duration",
          job.id, job.datastore, job.priority, words::executions[job.execution], job.reset,
          job.window ? job.window->text() : "", job.last_time, job.last_duration);
  for (int place = 0; const int vm : job.vms)
    execute(store_.database(), "INSERT INTO job_vms (job, place, vm) VALUES (?, ?, ?)", job.id,
            place++, vm);
}

void Pools::save_action(const Action& action) {
  execute(store_.database(),
          "INSERT OR REPLACE INTO actions (id, subject, parent, time, repeat, days, end_type, "
          "end_value, anchor, done, datastore, reset, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, "
          "?, ?, ?, ?)",
          action.id, words::subjects[action.subject], action.parent, action.time,
          static_cast<int>(action.repeat), words::list(action.days), static_cast<int>(action.end),
          action.end_value, action.anchor, action.done, action.datastore, action.reset,
          action.message);
}

void Pools::save_requests(int vm, const std::vector<Request>& requests) {
  auto& db = store_.database();
  execute(db, "DELETE FROM requests WHERE vm = ?", vm);
  for (const auto& it : requests)
    execute(db,
            "INSERT INTO requests (serial, vm, datastore, origin, reset, priority, job, place, "
            "action, since, failures, not_before, error, started, host) VALUES (?, ?, ?, ?, ?, ?, "
            "?, ?, ?, ?, ?, ?, ?, ?, ?)",
            static_cast<std::int64_t>(it.serial), it.vm, it.datastore, words::origins[it.origin],
            it.reset, it.priority, it.job, it.place, it.action, it.since, it.failures,
            it.not_before, it.error, it.started, it.host);
}

int Pools::put(const HostRecord& host) {
  return guarded(store_.file(), [&] {
    auto& db = store_.database();
    SQLite::Statement put{db, host.host.id < 0
                                  ? "INSERT INTO hosts (name, uri, up, max_backups, emulator_cpus, "
                                    "status) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                                  : "UPDATE hosts SET name = ?1, uri = ?2, up = ?3, max_backups = "
                                    "?4, emulator_cpus = ?5, status = ?6 WHERE id = ?7"};
    put.bind(1, host.name);
    put.bind(2, host.uri);
    put.bind(3, host.host.up ? 1 : 0);
    bind_or_null(put, 4, host.host.limit);
    put.bind(5, host.emulator_cpus);
    put.bind(6, words::host_statuses[host.host.status]);
    if (host.host.id >= 0) put.bind(7, host.host.id);
    if (put.exec() == 0) throw Error{"there is no host " + std::to_string(host.host.id)};
    return host.host.id < 0 ? static_cast<int>(db.getLastInsertRowid()) : host.host.id;
  });
}

void Pools::remove_host(int id) {
  guarded(store_.file(), [&] { remove("hosts", {id}); });
}

void Pools::put(const Datastore& datastore) {
  guarded(store_.file(), [&] {
    SQLite::Statement put{store_.database(),
                          "UPDATE datastores SET usable = ?2, max_backups = ?3, hours = ?4 WHERE "
                          "id = ?1"};
    put.bind(1, datastore.id);
    put.bind(2, datastore.usable ? 1 : 0);
    bind_or_null(put, 3, datastore.limit).bind(4, datastore.window ? datastore.window->text() : "");
    if (put.exec() == 0) throw Error{"there is no datastore " + std::to_string(datastore.id)};
  });
}

int Pools::new_job(const std::string& name, int owner, const std::string& job_template) {
  return guarded(store_.file(), [&] {
    auto& db = store_.database();
    execute(db,
            "INSERT INTO jobs (name, owner, template, datastore, priority, execution, reset, "
            "hours, last_time, last_duration) VALUES (?, ?, ?, -1, 50, 'SEQUENTIAL', 0, '', -1, "
            "-1)",
            name, owner, job_template);
    return static_cast<int>(db.getLastInsertRowid());
  });
}

void Pools::rename_job(int id, const std::string& name) {
  guarded(store_.file(),
          [&] { execute(store_.database(), "UPDATE jobs SET name = ? WHERE id = ?", name, id); });
}

void Pools::put_job_template(int id, const std::string& text) {
  guarded(store_.file(), [&] {
    execute(store_.database(), "UPDATE jobs SET template = ? WHERE id = ?", text, id);
  });
}

std::string Pools::job_template(int id) const {
  return guarded(store_.file(), [&]() -> std::string {
    SQLite::Statement get{store_.database(), "SELECT template FROM jobs WHERE id = ?"};
    get.bind(1, id);
    return get.executeStep() ? get.getColumn(0).getString() : "";
  });
}

int Pools::new_action() {
  return guarded(store_.file(), [&]() -> int {
    return store_.database().execAndGet(
        "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'actions' RETURNING seq");
  });
}

}  // namespace vmvaultd
