// SPDX-License-Identifier: Apache-2.0
// One step of a backup: an executable of a driver, run as the core's own orchestrator runs it.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace vmm {

// An executable that is there.
struct Driver {
  std::string kind;    // "transfer manager driver", "datastore driver"
  std::string action;  // "prebackup_live"
  std::filesystem::path path;
};

// Error, in the words of contract 1.7, where the driver or its action is missing.
Driver transfer_driver(const std::string& name, const std::string& action);
Driver datastore_driver(const std::string& name, const std::string& action);

enum class Shield {
  none,  // a cancellation stops the step: SIGTERM, and SIGKILL a minute later
  undo,  // it undoes, or tidies up: neither a cancellation nor our own death stops it
};

struct Step {
  Driver driver;
  std::vector<std::string> args;
  std::string input;
  std::chrono::seconds deadline;  // 0: none
  Shield shield = Shield::none;
};

// The deadline of a step: the setting STEP_DEADLINE_<name>, or `fallback`.
std::chrono::seconds step_deadline(const std::string& name, std::chrono::seconds fallback);

// Runs the step to its end, and returns its stdout.
//
// Its log lines go to our stderr as they come, and one of ours says how it ended (contract 1.7).
// Its plain lines become the Error's text when it failed, and log lines when it did not.  Throws
// Cancelled after it has stopped the step.
std::string run_step(const Step& step);

}  // namespace vmm
