// SPDX-License-Identifier: Apache-2.0
#include "common/error.h"

#include <system_error>

Error system_error(std::string_view doing, int error_number) {
  return Error{"cannot " + std::string{doing} + ": " +
               std::generic_category().message(error_number)};
}

Error to_error(const std::filesystem::filesystem_error& error) {
  return system_error("use '" + error.path1().string() + "'", error.code().value());
}

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool blank = static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
    if (!blank)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}
