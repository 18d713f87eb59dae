// SPDX-License-Identifier: Apache-2.0
// One step of a backup: an executable of a driver, run as the core's own orchestrator runs it.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "common/error.h"

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
  none,  // a cancellation stops the step: SIGTERM, and SIGKILL 20 s later
  undo,  // it undoes, or tidies up: neither a cancellation nor our own death stops it
};

struct Step {
  Driver driver;
  std::vector<std::string> args;
  std::string input;
  std::chrono::seconds deadline;  // 0: none
  Shield shield = Shield::none;
  std::vector<std::pair<std::string, std::string>> env{};
};

// The step did not come to an end of its own: it may have done its work, and not said so.
struct Doubtful : Error {
  using Error::Error;
};

// The deadline of a step: the setting STEP_DEADLINE_<name>, or `fallback`.
std::chrono::seconds step_deadline(const std::string& name, std::chrono::seconds fallback);

// Runs the step to its end, and returns its stdout.
//
// Its log lines go to our stderr as they come, and one of ours says how it ended (contract 1.7).
// Its plain lines become the Error's text when it failed (Doubtful, when a signal ended it), and
// log lines when it did not.  Throws Cancelled after it has stopped the step, unless that ended
// well all the same.
std::string run_step(const Step& step);
// Once more when it failed before its deadline, for whatever reason: for steps that can be done
// twice.
std::string run_repeatable(const Step& step);

}  // namespace vmm
