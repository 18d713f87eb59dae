// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/metrics.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <map>
#include <utility>

#include "common/version.h"
#include "drivers/lib/xml_writer.h"
#include "drivers/vmvaultd/lib/words.h"

namespace vmvaultd {
namespace {

constexpr std::int64_t mebibyte = 1 << 20;

// For each that waits: for what, in a word of its own that never changes.
constexpr words::Names<Cause, 17> causes{
    {"none", "retry", "not_deployed", "host_unknown", "host_disabled", "host_down", "vm_backup",
     "vm_held", "job_busy", "datastore_unknown", "datastore_unusable", "datastore_window",
     "job_window", "host_limit", "host_kept", "datastore_limit", "limit"}};

class Text {
 public:
  using Label = std::pair<const char*, std::string_view>;

  // The samples that follow are of this one.
  void family(const char* name, const char* type, const char* help) {
    name_ = name;
    text_ += std::string{"# HELP "} + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
  }
  void sample(std::initializer_list<Label> labels, std::int64_t value) {
    text_ += name_;
    char before = '{';
    for (const auto& [label, of] : labels) {
      text_ += before;
      text_ += label;
      text_ += "=\"" + label_text(of) + "\"";
      before = ',';
    }
    if (before == ',') text_ += '}';
    text_ += " " + std::to_string(value) + "\n";
  }
  std::string take() { return std::move(text_); }

 private:
  const char* name_ = "";
  std::string text_;
};

void add_service(Text& text, const Measured& now) {
  text.family("vmvault_build_info", "gauge", "The version of the service; always 1.");
  text.sample({{"version", version}}, 1);
  text.family("vmvault_start_time_seconds", "gauge", "When the service was started.");
  text.sample({}, now.begun);
  text.family("vmvault_driver_up", "gauge", "Whether the driver works.");
  for (const auto& one : now.drivers) text.sample({{"driver", one.name}}, one.ready ? 1 : 0);
  text.family("vmvault_driver_restarts_total", "counter",
              "How often the driver has ended without being told to.");
  for (const auto& one : now.drivers) text.sample({{"driver", one.name}}, one.losses);
}

// All samples of a family must be together: so each is a round over the machines.
class Machines {
 public:
  Machines(Text& text, const Measured& now) : text_{text}, now_{now} {
    for (const auto& vm : now.scheduled.vms) scheduled_[vm.id] = &vm;
    for (const auto& one : now.vms) ids_.push_back(std::to_string(one.vm.id));
  }

  // `value` is of VmFacts and Vm (nullptr: the scheduler does not know it), std::optional<int64>.
  template <class Value>
  void add(const char* name, const char* help, Value value) {
    text_.family(name, "gauge", help);
    for (std::size_t n = 0; n < now_.vms.size(); ++n) {
      const auto& facts = now_.vms[n];
      const auto known = scheduled_.find(facts.vm.id);
      const std::optional<std::int64_t> number =
          value(facts, known == scheduled_.end() ? nullptr : known->second);
      if (number) text_.sample({{"vm", ids_[n]}, {"name", facts.vm.name}}, *number);
    }
  }

 private:
  Text& text_;
  const Measured& now_;
  std::map<int, const Vm*> scheduled_;
  std::vector<std::string> ids_;
};

void add_vms(Text& text, const Measured& now) {
  using Number = std::optional<std::int64_t>;
  Machines vms{text, now};
  vms.add("vmvault_vm_last_success_timestamp_seconds",
          "When the newest good backup that there is of the VM began.",
          [](auto& facts, auto*) -> Number { return facts.newest; });
  vms.add("vmvault_vm_backup_age_seconds", "How old that backup is.",
          [&](auto& facts, auto*) -> Number {
            return facts.newest ? Number{now.now - *facts.newest} : std::nullopt;
          });
  vms.add("vmvault_vm_last_size_bytes", "The size of its disk files.",
          [](auto& facts, auto*) -> Number {
            return facts.newest ? Number{facts.newest_bytes} : std::nullopt;
          });
  vms.add("vmvault_vm_last_duration_seconds", "How long the last good backup took.",
          [](auto& facts, auto*) -> Number { return facts.duration; });
  vms.add("vmvault_vm_last_failed", "1 if the last attempt at a backup of the VM failed.",
          [](auto& facts, auto*) -> Number {
            return facts.last_ended ? Number{facts.last_error.empty() ? 0 : 1} : std::nullopt;
          });
  vms.add("vmvault_vm_stored_bytes", "The size of all its backups' disk files.",
          [](auto& facts, auto*) -> Number { return facts.bytes; });
  vms.add("vmvault_vm_images", "Its backup images.",
          [](auto& facts, auto*) -> Number { return facts.images; });
  vms.add("vmvault_vm_restore_points", "The restore points in them.",
          [](auto& facts, auto*) -> Number { return facts.increments; });
  vms.add("vmvault_vm_rpo_seconds",
          "How old its newest backup may become; 0: that does not matter.",
          [](auto&, auto* vm) -> Number { return vm ? Number{vm->rpo} : std::nullopt; });
  vms.add("vmvault_vm_rpo_missed", "1 if its newest backup is older than that.",
          [](auto&, auto* vm) -> Number {
            return vm ? Number{vm->rpo_state == Vm::Rpo::missed ? 1 : 0} : std::nullopt;
          });
}

void add_queue(Text& text, const Measured& now) {
  const auto& state = now.scheduled;
  const auto running = std::count_if(state.requests.begin(), state.requests.end(),
                                     [](const auto& one) { return one.started >= 0; });
  text.family("vmvault_backups_running", "gauge", "Backups that run.");
  text.sample({}, running);
  text.family("vmvault_queue_length", "gauge", "Backups that wait.");
  text.sample({}, static_cast<std::int64_t>(now.waits.size()));
  Time longest = 0;
  std::map<Cause, std::int64_t> counts;
  for (const auto& wait : now.waits) {
    longest = std::max(longest, now.now - wait.request.since);
    ++counts[wait.cause];
  }
  text.family("vmvault_queue_wait_seconds", "gauge", "How long the one waits that waits longest.");
  text.sample({}, longest);
  text.family("vmvault_queue_waiting", "gauge", "Backups that wait, by what they wait for.");
  for (const auto& [cause, count] : counts) text.sample({{"cause", causes[cause]}}, count);
  text.family("vmvault_limit", "gauge", "How many backups may run at a time; 0: any number.");
  text.sample({{"of", "all"}}, state.policy.limits.all);
  text.sample({{"of", "host"}}, state.policy.limits.host);
  text.sample({{"of", "datastore"}}, state.policy.limits.datastore);
}

void add_hosts(Text& text, const Measured& now) {
  std::map<int, std::int64_t> running;
  for (const auto& one : now.scheduled.requests)
    if (one.started >= 0) ++running[one.host];
  text.family("vmvault_host_up", "gauge", "Whether the host's libvirt answers.");
  for (const auto& one : now.hosts) text.sample({{"host", one.name}}, one.host.up ? 1 : 0);
  text.family("vmvault_host_enabled", "gauge",
              "Whether backups begin there: 0 if it is disabled or offline.");
  for (const auto& one : now.hosts)
    text.sample({{"host", one.name}}, one.host.status == Host::Status::enabled ? 1 : 0);
  text.family("vmvault_host_backups_running", "gauge", "Backups that run on the host.");
  for (const auto& one : now.hosts) text.sample({{"host", one.name}}, running[one.host.id]);
  text.family("vmvault_host_limit", "gauge", "How many may; 0: any number.");
  for (const auto& one : now.hosts)
    text.sample({{"host", one.name}}, one.host.limit.value_or(now.scheduled.policy.limits.host));
}

void add_datastores(Text& text, const Measured& now) {
  using Space = std::optional<std::int64_t> DatastoreSpace::*;
  const auto add = [&](const char* name, const char* help, Space space) {
    text.family(name, "gauge", help);
    for (const auto& one : now.datastores)
      if (one.*space)
        text.sample({{"datastore", std::to_string(one.id)}, {"name", one.name}},
                    *(one.*space) * mebibyte);
  };
  add("vmvault_datastore_used_bytes", "What is used of the datastore.", &DatastoreSpace::used_mb);
  add("vmvault_datastore_free_bytes", "What is free.", &DatastoreSpace::free_mb);
  add("vmvault_datastore_size_bytes", "What there is.", &DatastoreSpace::total_mb);
}

void add_jobs(Text& text, const Measured& now) {
  text.family("vmvault_job_last_run_timestamp_seconds", "gauge", "When the backup job last began.");
  for (const auto& job : now.scheduled.jobs)
    if (job.last_time >= 0) text.sample({{"job", std::to_string(job.id)}}, job.last_time);
  text.family("vmvault_job_last_duration_seconds", "gauge", "How long it took.");
  for (const auto& job : now.scheduled.jobs)
    if (job.last_duration >= 0) text.sample({{"job", std::to_string(job.id)}}, job.last_duration);
  std::map<int, std::int64_t> failed;
  for (const auto& job : now.scheduled.jobs) failed[job.id] = 0;
  for (const auto& vm : now.scheduled.vms)
    if (vm.job_state == JobState::error) ++failed[vm.job];
  text.family("vmvault_job_failed_vms", "gauge", "Its VMs whose backup failed.");
  for (const auto& [job, count] : failed) text.sample({{"job", std::to_string(job)}}, count);
}

}  // namespace

std::string label_text(std::string_view value) {
  std::string out;
  for (const char c : valid_text(value)) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

Measured measure(const Scheduler& scheduler, Time now) {
  return {.now = now, .scheduled = scheduler.state(), .waits = scheduler.waits()};
}

std::string metrics(const Measured& measured) {
  Text text;
  add_service(text, measured);
  add_vms(text, measured);
  add_queue(text, measured);
  add_hosts(text, measured);
  add_datastores(text, measured);
  add_jobs(text, measured);
  return text.take();
}

}  // namespace vmvaultd
