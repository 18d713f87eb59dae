// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <ctime>
#include <limits>
#include <sstream>

#include "common/base64.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/running.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/json.h"
#include "drivers/cli/lib/list.h"
#include "drivers/lib/messages.h"
#include "drivers/lib/place.h"

namespace cli {
namespace {

struct VmStatus {
  state::VmRecord vm;
  std::vector<Worker> workers;
  std::optional<std::int64_t> last_good;
  std::optional<state::Attempt> last_attempt;
};

struct Space {
  state::DatastoreRecord datastore;
  std::optional<std::int64_t> used_mb, total_mb, free_mb;
};

struct Status {
  std::vector<VmStatus> vms;
  std::vector<Space> datastores;
  std::vector<std::string> problems;
};

Space parse_space(state::DatastoreRecord datastore, const std::string& reply) {
  Space space{.datastore = std::move(datastore), .used_mb = {}, .total_mb = {}, .free_mb = {}};
  std::istringstream lines{reply};
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find('=');
    if (equals == line.npos) continue;
    const auto name = line.substr(0, equals);
    const auto value = parse_number(line.substr(equals + 1));
    if (name == "USED_MB") space.used_mb = value;
    if (name == "TOTAL_MB") space.total_mb = value;
    if (name == "FREE_MB") space.free_mb = value;
  }
  return space;
}

// A datastore that does not answer is a line of the status, not its end.
void ask_datastores(const App& app, Status& status) {
  if (!app.has_state()) return;
  for (const auto& datastore : app.store().datastores()) {
    std::string reply;
    try {
      const auto request = messages::datastore_action(app.home().datastore(datastore.id));
      const auto finished = app.datastore_action(datastore.id, "monitor")
                                .arg(std::to_string(datastore.id))
                                .input(base64_encode(request.dump()) + "\n")
                                .deadline(std::chrono::seconds{60})
                                .run();
      insist(finished, "datastore " + std::to_string(datastore.id) + " does not answer");
      reply = finished.out;
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& error) {
      status.problems.emplace_back(error.what());
    }
    status.datastores.push_back(parse_space(datastore, reply));
  }
}

// What backups left that were cut off; nobody works on the machine.
void look_for_remains(const App& app, Status& status, const state::VmRecord& vm) {
  const auto dir = app.home().vm_dir(vm.uuid);
  const bool open = !app.store().unfinished(vm.id).empty();
  const bool owes = std::filesystem::exists(dir / "backup.journal");
  if ((!open && !owes) || !FileLock::try_lock(dir / "cli.lock")) return;
  if (open)
    status.problems.push_back("a backup of '" + vm.name +
                              "' was interrupted; the next one settles it");
  if (owes)
    status.problems.push_back("an interrupted backup of '" + vm.name +
                              "' left something to clean up; the next 'vmvault backup " + vm.name +
                              "' does so");
}

bool nobody_works_on(const App& app, int vm) {
  const auto found = app.store().vm(vm);
  return found && FileLock::try_lock(app.home().vm_dir(found->uuid) / "cli.lock").has_value();
}

// What the sentence has said already is left out.
std::string_view cause(std::string_view error) {
  constexpr std::string_view said = "the backup failed: ";
  return error.starts_with(said) ? error.substr(said.size()) : error;
}

// Nobody knows how old it is, then: a clock was wrong, or is.
bool is_to_come(std::int64_t date) { return date > std::time(nullptr); }

void look_at_vm(const App& app, Status& status, const state::VmRecord& vm) {
  VmStatus one{.vm = vm,
               .workers = workers(vm.id),
               .last_good = {},
               .last_attempt = app.store().last_attempt(vm.id)};
  // Also what bears a date to come, as that is told.
  const auto newest = app.store().newest_backups({vm.id}, std::numeric_limits<std::int64_t>::max());
  if (const auto found = newest.find(vm.id); found != newest.end()) one.last_good = found->second;
  if (one.last_good && is_to_come(*one.last_good))
    status.problems.push_back("the last backup of '" + vm.name + "' bears a date to come (" +
                              local_time(*one.last_good) +
                              "): a clock was wrong, or is; how old it is nobody knows");
  if (one.last_attempt && !one.last_attempt->error.empty())
    status.problems.push_back("the last backup of '" + vm.name + "' (" +
                              local_time(one.last_attempt->started) +
                              ") failed: " + std::string{cause(one.last_attempt->error)});
  if (one.workers.empty()) look_for_remains(app, status, vm);
  status.vms.push_back(std::move(one));
}

Status gather(App& app) {
  Status status;
  if (app.has_state())
    if (auto why = state::why_not_in_place(app.store(), app.home()); !why.empty())
      status.problems.push_back(std::move(why));
  for (const auto& vm : app.store().vms()) look_at_vm(app, status, vm);
  for (const auto& image : app.store().images()) {
    if (const auto damage = damage_of(image); !damage.empty())
      status.problems.push_back("image " + std::to_string(image.id) + " is corrupt: " + damage);
    if (image.half_deleted())
      status.problems.push_back("image " + std::to_string(image.id) +
                                " is half deleted: 'vmvault delete " + std::to_string(image.id) +
                                "' again");
    if (image.state == state::ImageState::locked && nobody_works_on(app, image.vm))
      status.problems.push_back("image " + std::to_string(image.id) +
                                " is half merged: 'vmvault flatten " + std::to_string(image.id) +
                                " --keep " + std::to_string(image.keep.value_or(1)) + "' again");
  }
  ask_datastores(app, status);
  return status;
}

Json to_json(const Status& status) {
  Json out{{"vms", Json::array()}, {"datastores", Json::array()}, {"problems", status.problems}};
  const auto now = std::time(nullptr);
  for (const auto& one : status.vms) {
    Json vm{{"id", one.vm.id},          {"name", one.vm.name},    {"uuid", one.vm.uuid},
            {"running", Json::array()}, {"last_backup", nullptr}, {"age_seconds", nullptr}};
    for (const auto& worker : one.workers)
      vm["running"].push_back({{"phase", worker.phase}, {"pid", worker.pid}});
    if (one.last_good) {
      vm["last_backup"] = utc_time(*one.last_good);
      if (!is_to_come(*one.last_good)) vm["age_seconds"] = now - *one.last_good;
    }
    out["vms"].push_back(std::move(vm));
  }
  const auto number = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
  for (const auto& one : status.datastores)
    out["datastores"].push_back({{"id", one.datastore.id},
                                 {"name", one.datastore.name},
                                 {"used_mb", number(one.used_mb)},
                                 {"total_mb", number(one.total_mb)},
                                 {"free_mb", number(one.free_mb)}});
  return out;
}

std::string mib_text(const std::optional<std::int64_t>& mib) {
  return mib ? size_text(static_cast<std::uint64_t>(*mib) << 20) : "?";
}

std::string age_text(std::int64_t date) {
  return is_to_come(date) ? "in the future" : duration_text(std::time(nullptr) - date);
}

void print_text(const Status& status) {
  std::vector<std::vector<std::string>> rows{{"VM", "DOMAIN", "LAST BACKUP", "AGE", "NOW"}};
  for (const auto& one : status.vms) {
    std::string running;
    for (const auto& worker : one.workers)
      running += (running.empty() ? "" : ", ") + worker.phase + " (process " +
                 std::to_string(worker.pid) + ")";
    rows.push_back({std::to_string(one.vm.id), one.vm.name,
                    one.last_good ? local_time(*one.last_good) : "never",
                    one.last_good ? age_text(*one.last_good) : "-",
                    running.empty() ? "-" : running});
  }
  std::fputs(table(rows).c_str(), stdout);
  rows = {{"DATASTORE", "NAME", "USED", "FREE", "TOTAL"}};
  for (const auto& one : status.datastores)
    rows.push_back({std::to_string(one.datastore.id), one.datastore.name, mib_text(one.used_mb),
                    mib_text(one.free_mb), mib_text(one.total_mb)});
  std::printf("\n%s", table(rows).c_str());
  if (!status.problems.empty()) std::puts("");
  for (const auto& problem : status.problems)
    std::printf("problem: %s\n", printable(problem).c_str());
}

}  // namespace

void status(App& app, Form form) {
  const auto now = gather(app);
  if (form == Form::json)
    print(to_json(now));
  else
    print_text(now);
}

}  // namespace cli
