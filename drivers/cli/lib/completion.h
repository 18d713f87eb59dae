// SPDX-License-Identifier: Apache-2.0
// Completion for shells, made of the words that the program itself reads: it cannot be stale.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace cli {

// A script for bash.
std::string bash_completion(const CLI::App& root);

}  // namespace cli
