// SPDX-License-Identifier: Apache-2.0
// Template texts that commands are given.
#pragma once

#include <string>

namespace cli {

// The file's, or, without one, that of stdin.  BadRequest for what is no template.
std::string template_text(const std::string& file);

// The first line of the file, or of stdin; at a terminal it is asked for and not shown.  For
// secrets, which are no arguments.
std::string secret_line(const std::string& file, const std::string& question);

}  // namespace cli
