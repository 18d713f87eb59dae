// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <functional>

#include "drivers/vmvaultd/lib/simulator.h"

namespace vmvaultd {
namespace {

template <class T>
T at_share(const std::vector<T>& sorted, double share) {
  if (sorted.empty()) return {};
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

double hours(double seconds) { return seconds / static_cast<double>(hour); }

struct Row {
  const char* name;
  std::function<std::string(const Report&)> value;
};

Row count(const char* name, std::size_t Report::*member) {
  return {name, [member](const Report& report) { return fmt::format("{}", report.*member); }};
}

std::vector<Row> rows() {
  const auto wait = [](double share) {
    return
        [share](const Report& r) { return fmt::format("{:.2f} h", hours(r.quantile_wait(share))); };
  };
  const auto pass = [](double share) {
    return [share](const Report& r) { return fmt::format("{:.3f} ms", r.quantile_pass(share)); };
  };
  return {
      count("backups begun", &Report::started),
      count("good", &Report::good),
      count("failed", &Report::failed),
      {"wait for the first attempt, median", wait(0.5)},
      {"  99 of 100", wait(0.99)},
      {"  the longest", wait(1)},
      count("machines with an RPO and no backup at the end", &Report::never),
      count("begun over MAX_BACKUPS", &Report::over_all),
      count("  over MAX_BACKUPS_HOST", &Report::over_host),
      count("  over MAX_BACKUPS_DATASTORE", &Report::over_datastore),
      count("  of a machine whose backup runs", &Report::over_vm),
      count("  of a job that takes one at a time", &Report::over_job),
      count("  outside of the job's window", &Report::outside),
      count("times that all were asked what they wait for", &Report::asked_why),
      count("  and one could not say", &Report::unexplained),
      count("RPO missed", &Report::misses),
      count("  forced: too late even alone", &Report::alone),
      count("  forced: too many at once", &Report::crowded),
      count("  after an outage or a failure", &Report::unforeseen),
      {"  not shown to be forced",
       [](const Report& r) { return fmt::format("{}", r.avoidable()); }},
      {"  by how much, all together",
       [](const Report& r) { return fmt::format("{:.0f} h", hours(static_cast<double>(r.late))); }},
      count("passes", &Report::passes),
      {"  median", pass(0.5)},
      {"  99 of 100", pass(0.99)},
      {"  the longest", pass(1)},
      {"restarts", [](const Report& r) { return fmt::format("{}", r.gaps.size()); }},
      {"memory of the core, at most",
       [](const Report& r) { return fmt::format("{:.1f} MB", r.most_bytes / 1e6); }},
  };
}

}  // namespace

double Report::quantile_pass(double share) const { return at_share(pass_ms, share); }

double Report::quantile_wait(double share) const {
  return static_cast<double>(at_share(waits, share));
}

std::string table(const std::vector<std::pair<std::string, Report>>& reports) {
  std::string text = fmt::format("{:<46}", "");
  for (const auto& [name, report] : reports) text += fmt::format("{:>16}", name);
  text += '\n';
  for (const auto& [name, value] : rows()) {
    text += fmt::format("{:<46}", name);
    for (const auto& [which, report] : reports) text += fmt::format("{:>16}", value(report));
    text += '\n';
  }
  return text;
}

}  // namespace vmvaultd
