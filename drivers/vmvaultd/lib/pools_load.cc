// SPDX-License-Identifier: Apache-2.0
#include <SQLiteCpp/Statement.h>

#include <map>

#include "drivers/lib/guarded.h"
#include "drivers/lib/whole.h"
#include "drivers/vmvaultd/lib/pools.h"
#include "drivers/vmvaultd/lib/words.h"

namespace vmvaultd {
namespace {

using state::guarded;

// The columns of a row, one after the other.
class Row {
 public:
  explicit Row(const SQLite::Statement& statement) : statement_{statement} {}
  int number() { return statement_.getColumn(at_++); }
  Time time() { return statement_.getColumn(at_++).getInt64(); }
  bool flag() { return number() != 0; }
  std::string text() { return statement_.getColumn(at_++).getString(); }
  std::optional<int> number_or_null() {
    const auto column = statement_.getColumn(at_++);
    return column.isNull() ? std::nullopt : std::optional{column.getInt()};
  }
  std::optional<Window> window() {
    const auto hours = text();
    return hours.empty() ? std::nullopt : std::optional{Window::parse(hours)};
  }

 private:
  const SQLite::Statement& statement_;
  int at_ = 0;
};

template <class Make>
auto read(const SQLite::Database& db, const char* sql, Make make) {
  std::vector<decltype(make(std::declval<Row&>()))> all;
  SQLite::Statement get{db, sql};
  while (get.executeStep()) {
    Row row{get};
    all.push_back(make(row));
  }
  return all;
}

// Braces keep the order of what is in them: the columns come in that of the members.
HostRecord host_of(Row& row) {
  return {.host = {.id = row.number(),
                   .up = row.flag(),
                   .limit = row.number_or_null(),
                   .status = words::host_statuses.value(row.text())},
          .name = row.text(),
          .uri = row.text(),
          .emulator_cpus = row.text()};
}

Datastore datastore_of(Row& row) {
  return {.id = row.number(),
          .usable = row.flag(),
          .limit = row.number_or_null(),
          .window = row.window()};
}

Vm vm_of(Row& row) {
  return {.id = row.number(),
          .host = row.number(),
          .job_state = words::job_states.value(row.text()),
          .rpo = row.time(),
          .rpo_since = row.time(),
          .datastore = row.number(),
          .priority = row.number(),
          .last_backup = row.time(),
          .expected = row.time(),
          .rpo_state = words::rpo_states.value(row.text()),
          .held_until = row.time(),
          .held = row.text()};
}

Job job_of(Row& row) {
  return {.id = row.number(),
          .datastore = row.number(),
          .priority = row.number(),
          .execution = words::executions.value(row.text()),
          .reset = row.flag(),
          .window = row.window(),
          .last_time = row.time(),
          .last_duration = row.time()};
}

std::vector<int> numbers(const std::string& list) {
  std::vector<int> all;
  for (std::size_t begin = 0; begin < list.size();) {
    const auto end = std::min(list.find(',', begin), list.size());
    if (const auto one = parse_int(list.substr(begin, end - begin), 0)) all.push_back(*one);
    begin = end + 1;
  }
  return all;
}

Action action_of(Row& row) {
  return {.id = row.number(),
          .subject = words::subjects.value(row.text()),
          .parent = row.number(),
          .time = row.time(),
          .repeat = static_cast<Repeat>(row.number()),
          .days = numbers(row.text()),
          .end = static_cast<End>(row.number()),
          .end_value = row.time(),
          .anchor = row.time(),
          .done = row.time(),
          .datastore = row.number(),
          .reset = row.flag(),
          .message = row.text()};
}

Request request_of(Row& row) {
  return {.vm = row.number(),
          .datastore = row.number(),
          .origin = words::origins.value(row.text()),
          .reset = row.flag(),
          .priority = row.number(),
          .job = row.number(),
          .place = row.number(),
          .action = row.number(),
          .since = row.time(),
          .failures = row.number(),
          .not_before = row.time(),
          .error = row.text(),
          .started = row.time(),
          .host = row.number(),
          .serial = static_cast<std::uint64_t>(row.time())};
}

void fill_jobs(const SQLite::Database& db, State& state) {
  std::map<int, Job*> jobs;
  std::map<int, Vm*> vms;
  for (auto& job : state.jobs) jobs[job.id] = &job;
  for (auto& vm : state.vms) vms[vm.id] = &vm;
  SQLite::Statement get{db, "SELECT job, vm FROM job_vms ORDER BY job, place"};
  while (get.executeStep()) {
    const int job = get.getColumn(0), vm = get.getColumn(1);
    if (!vms.contains(vm)) continue;  // it went while nobody looked
    jobs.at(job)->vms.push_back(vm);
    vms.at(vm)->job = job;
  }
}

constexpr const char* host_rows =
    "SELECT id, up, max_backups, status, name, uri, emulator_cpus FROM hosts ORDER BY id";

}  // namespace

std::vector<HostRecord> Pools::hosts() const {
  return guarded(store_.file(), [&] { return read(store_.database(), host_rows, host_of); });
}

State Pools::load(const Policy& policy) const {
  return guarded(store_.file(), [&] {
    auto& db = store_.database();
    const state::Whole whole{db};  // one moment of all tables
    State state{.policy = policy};
    for (const auto& record : read(db, host_rows, host_of)) state.hosts.push_back(record.host);
    state.datastores = read(
        db,
        "SELECT id, usable, max_backups, hours FROM datastores WHERE deleted IS NULL ORDER BY id",
        datastore_of);
    state.vms =
        read(db,
             "SELECT id, host, job_state, rpo, rpo_since, datastore, priority, "
             "last_backup, expected, rpo_state, held_until, held FROM scheduled_vms ORDER BY id",
             vm_of);
    state.jobs = read(db,
                      "SELECT id, datastore, priority, execution, reset, hours, last_time, "
                      "last_duration FROM jobs ORDER BY id",
                      job_of);
    fill_jobs(db, state);
    state.actions = read(db,
                         "SELECT id, subject, parent, time, repeat, days, end_type, end_value, "
                         "anchor, done, datastore, reset, message FROM actions ORDER BY id",
                         action_of);
    state.requests = read(db,
                          "SELECT vm, datastore, origin, reset, priority, job, place, action, "
                          "since, failures, not_before, error, started, host, serial FROM requests "
                          "ORDER BY serial",
                          request_of);
    return state;
  });
}

}  // namespace vmvaultd
