// SPDX-License-Identifier: Apache-2.0
// Lines on the stderr of an action: those for the logs of the core, and its error (contract 2.5).
#pragma once

#include <string>
#include <string_view>

bool is_log_line(std::string_view line);  // "INFO: name: text"

// Writes it to our stderr if it is one.  A log that nobody reads is no reason to stop.
void pass_log_line(std::string_view line);

// The last line that is none, on one line; empty: there is none.
std::string last_plain_line(std::string_view text);
