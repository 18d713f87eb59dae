// SPDX-License-Identifier: Apache-2.0
// OpenNebula's template text, read and written:
//
//   NAME = "vm"
//   DISK = [ IMAGE_ID = "5", TARGET = "vda" ]
//
// Names are upper-cased, as the core does.  A value may be quoted; in quotes, \" and \\ stand for
// the character.  '#' begins a comment outside quotes.
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
// What parse_template() reads back unchanged.  Vectors without pairs are left out.
std::string to_text(const Template& attributes);

}  // namespace one
