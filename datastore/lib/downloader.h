// SPDX-License-Identifier: Apache-2.0
// The answer of a downloader to downloader.sh (contract 3.11).
#pragma once

#include <string>
#include <vector>

// The two lines whose `command` runs these words, for a shell that evaluates them as assignments
// first and runs the value then.  There is nothing to clean.  BadRequest for a word that could
// break out of either quoting.
std::string download_command(const std::vector<std::string>& argv);
