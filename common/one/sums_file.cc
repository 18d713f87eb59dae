// SPDX-License-Identifier: Apache-2.0
#include "common/one/sums_file.h"

#include <stdexcept>

#include "common/number.h"

namespace {

constexpr std::string_view disk = "disk.", sums = "sums.";

}  // namespace

std::string sums_file(std::string_view disk_file) {
  if (!disk_file.starts_with(disk)) throw std::logic_error{"not the file of a disk"};
  return std::string{sums}.append(disk_file.substr(disk.size()));
}

bool is_sums_file(std::string_view name) {
  if (!name.starts_with(sums)) return false;
  name.remove_prefix(sums.size());
  const auto dot = name.find('.');
  return dot != name.npos && parse_int(name.substr(0, dot)) && parse_int(name.substr(dot + 1));
}
