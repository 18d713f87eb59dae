// SPDX-License-Identifier: Apache-2.0
// What --help says after the options: examples, and how a command ends.
#pragma once

#include <CLI/CLI.hpp>

namespace cli {

// The root shows what everybody needs; each command below it, what is about itself.
void add_examples(CLI::App& root);

}  // namespace cli
