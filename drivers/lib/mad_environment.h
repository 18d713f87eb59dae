// SPDX-License-Identifier: Apache-2.0
// What the core's own drivers have around them (contract 0.1, 2.1 and 2.10).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mad {

// The directories of a front-end, by ONE_LOCATION.
struct Places {
  std::filesystem::path etc, var, log;
  std::filesystem::path remotes;  // VMVAULT_REMOTES, else the one below `var`

  static Places of_this_front_end();
};

// Takes the standard descriptors that the core has closed.  What is written to stderr goes to the
// driver's log if ONE_MAD_DEBUG is set, else nowhere.
void occupy_descriptors(const Places& places, const std::string& driver);

// Exports what `etc`/<file> sets for each of the files, and makes `var` the working directory.
void settle(const Places& places, const std::vector<std::string>& files);

// Takes the priority that PRIORITY asks for, or 19.
void step_back();

}  // namespace mad
