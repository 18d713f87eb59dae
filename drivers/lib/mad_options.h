// SPDX-License-Identifier: Apache-2.0
// The arguments that a core gives to its drivers (contract 2.1).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mad {

struct Option {
  char letter;
  std::string name;
  bool has_value = true;
};

struct Options {
  std::map<char, std::string> values;  // by letter; "" for an option without a value
  std::vector<std::string> words;      // what is no option
};

// The words of argv after the program's name: the core gives all of them as one, separated by
// blanks, and no shell has a part in it.
std::vector<std::string> split_arguments(int argc, char** argv);

// -t 15, -t15, --threads 15, --threads=15, and any beginning of a name that only one option has; a
// value may be missing.  The last one of several counts.  BadRequest names what is unknown.
Options parse_options(const std::vector<std::string>& words, const std::vector<Option>& known);

// "a, b,c" in its parts, without blanks around them.
std::vector<std::string> split_list(std::string_view text);

}  // namespace mad
