// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/step.h"

#include <unistd.h>

#include <string_view>

#include "common/command.h"
#include "common/ended.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/action.h"
#include "common/one/config.h"
#include "common/one/location.h"
#include "common/one/log_line.h"

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace vmm {
namespace {

Driver find_driver(Driver driver, const std::string& layer, const std::string& name,
                   const std::string& title) {
  const fs::path directory = remotes_root() / layer / name;
  driver.path = directory / driver.action;
  if (!fs::is_directory(directory)) throw Error{title + " '" + name + "' not available"};
  if (access(driver.path.c_str(), X_OK) != 0)
    throw Error{"Driver path '" + driver.path.string() + "' does not exists"};
  return driver;
}

// Passes log lines on at once and keeps the others.
class Relay {
 public:
  void take(std::string_view line) {
    const auto begin = line.find_first_not_of(" \t\r");
    if (begin == line.npos) return;
    line.remove_prefix(begin);
    if (!is_log_line(line)) {
      plain_.emplace_back(one_line(line));
      return;
    }
    pass_log_line(line);
  }

  // All of it on one line.
  std::string text() const {
    std::string all;
    for (const auto& line : plain_) all += (all.empty() ? "" : " ") + line;
    return all;
  }
  const std::vector<std::string>& plain() const { return plain_; }

 private:
  std::vector<std::string> plain_;
};

Command command(const Step& step, Relay& relay) {
  std::vector<std::string> argv;
  // Should we be killed, the kernel asks the step to end, as a cancellation would: nobody would
  // hear of what it stores.  Holding its stdin open is no way to tell it, since the drivers of
  // others read that to its end.  What undoes goes on without us.
  if (step.shield == Shield::none) argv = {"setpriv", "--pdeathsig", "TERM", "--"};
  argv.push_back(step.driver.path.string());
  argv.insert(argv.end(), step.args.begin(), step.args.end());

  Command command{std::move(argv)};
  command.input(step.input).err_lines([&relay](auto line) { relay.take(line); });
  command.stop_with({SIGTERM, std::chrono::seconds{20}}).answer_counts();
  for (const auto& [name, value] : step.env) command.env(name, value);
  if (step.deadline.count() > 0) command.deadline(step.deadline);
  if (step.shield == Shield::undo) command.shielded();
  return command;
}

Finished finish(const Step& step, Relay& relay) {
  const auto end = Clock::now() + step.deadline;
  try {
    return command(step, relay).run();
  } catch (const Cancelled&) {
    throw;
  } catch (const Error&) {
    if (step.deadline.count() == 0 || Clock::now() < end) throw;
    throw Error{step.driver.action + " did not end within " +
                std::to_string(step.deadline.count()) + " s, and was stopped"};
  }
}

// By a signal, but not by ours, which a step takes as a cancellation, and undoes.
bool is_death(int status) { return status > 128 && status < 160 && status != 128 + SIGTERM; }

std::string outcome(const Step& step, const std::string& how) {
  return how + " execute " + step.driver.kind + " operation: " + step.driver.action + ".";
}

}  // namespace

Driver transfer_driver(const std::string& name, const std::string& action) {
  return find_driver({"transfer manager driver", action, {}}, "tm", name, "Transfer Driver");
}

Driver datastore_driver(const std::string& name, const std::string& action) {
  return find_driver({"datastore driver", action, {}}, "datastore", name, "Datastore Driver");
}

std::chrono::seconds step_deadline(const std::string& name, std::chrono::seconds fallback) {
  const std::string key = "STEP_DEADLINE_" + name;
  const auto text = setting(key);
  if (!text) return fallback;
  const auto seconds = parse_int(*text, 0);
  if (!seconds) throw Error{"the setting " + key + " is not a number of seconds"};
  return std::chrono::seconds{*seconds};
}

std::string run_step(const Step& step) try {
  Relay relay;
  Finished finished = finish(step, relay);
  if (!finished.ok()) {
    const auto why =
        !relay.plain().empty() ? relay.text() : ended(step.driver.action, finished.status);
    if (is_death(finished.status)) throw Doubtful{why};
    throw Error{why};
  }
  log(Level::info, outcome(step, "Successfully"));
  for (const auto& line : relay.plain()) log(Level::info, step.driver.action + ": " + line);
  return finished.out;
} catch (const Error&) {
  log(Level::error, outcome(step, "Failed to"));
  throw;
}

std::string run_repeatable(const Step& step) {
  const auto begun = Clock::now();
  try {
    return run_step(step);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {
    if (step.deadline.count() != 0 && Clock::now() - begun >= step.deadline) throw;
    log(Level::warn, std::string{e.what()} + "; it is done again");
  }
  return run_step(step);
}

}  // namespace vmm
