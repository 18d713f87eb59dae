// SPDX-License-Identifier: Apache-2.0
// OpenNebula's template text, read and written:
//
//   NAME = "vm"
//   DISK = [ IMAGE_ID = "5", TARGET = "vda" ]
//
// As the core's own parser has it: names are letters, digits and '_', and become upper case.  A
// value is one word, or quoted, perhaps over lines; in quotes \" stands for a quote, and every
// other backslash for itself.  '#' begins a comment outside quotes.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace one {

using Pairs = std::vector<std::pair<std::string, std::string>>;  // of a vector attribute, in order

struct Attribute {
  std::string name;
  std::variant<std::string, Pairs> value;
  bool operator==(const Attribute&) const = default;
};

using Template = std::vector<Attribute>;  // in order; a name may come more than once

Template parse_template(std::string_view text);  // BadRequest, with the line number

// What parse_template() and the core read back unchanged.  Vectors without pairs are left out.
// BadRequest, naming the attribute, for what cannot be written: a value that ends in a backslash
// (the core would take it for \"), or a name that is none.
std::string to_text(const Template& attributes);

}  // namespace one
