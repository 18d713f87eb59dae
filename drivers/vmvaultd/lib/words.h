// SPDX-License-Identifier: Apache-2.0
// The words of the state file, which are the core's (contract 5.7 and 5.8).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/number.h"
#include "drivers/vmvaultd/lib/model.h"

namespace vmvaultd::words {

// The values of an enumeration, from 0 on, by their names.
template <class Value, std::size_t count>
struct Names {
  std::array<const char*, count> names;

  const char* operator[](Value value) const { return names[static_cast<std::size_t>(value)]; }
  Value value(const std::string& name) const {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) throw Error{"'" + one_line(name) + "' is none of its words"};
    return static_cast<Value>(found - names.begin());
  }
};

inline constexpr Names<JobState, 5> job_states{{"", "OUTDATED", "BACKING_UP", "UPDATED", "ERROR"}};
inline constexpr Names<Vm::Rpo, 3> rpo_states{{"KEPT", "NEAR", "MISSED"}};
inline constexpr Names<Host::Status, 3> host_statuses{{"ENABLED", "DISABLED", "OFFLINE"}};
inline constexpr Names<Job::Execution, 2> executions{{"SEQUENTIAL", "PARALLEL"}};
inline constexpr Names<Subject, 2> subjects{{"VM", "BACKUPJOB"}};
inline constexpr Names<Origin, 4> origins{{"MANUAL", "SCHEDULED", "JOB", "RPO"}};

inline std::string list(const std::vector<int>& numbers) {
  std::string text;
  for (const int number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

}  // namespace vmvaultd::words
