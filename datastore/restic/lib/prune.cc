// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/prune.h"

#include <cctype>

#include "common/error.h"

namespace restic {
namespace {

// Digits, and perhaps one of the units.
bool is_amount(std::string_view text, std::string_view units) {
  if (!text.empty() && units.find(text.back()) != units.npos) text.remove_suffix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

[[noreturn]] void refuse(const std::string& attribute, const std::string& value) {
  throw BadRequest{attribute + " is no amount: '" + one_line(value) + "'"};
}

}  // namespace

std::vector<std::string> prune_options(const Datastore& datastore) {
  const auto unused = datastore.attribute("RESTIC_PRUNE_MAX_UNUSED", "0");
  if (unused != "unlimited" && !is_amount(unused, "kKmMgGtT%"))
    refuse("RESTIC_PRUNE_MAX_UNUSED", unused);
  std::vector<std::string> options{"--max-unused=" + unused};
  if (const auto repack = datastore.attribute("RESTIC_PRUNE_MAX_REPACK")) {
    if (!is_amount(*repack, "kKmMgGtT")) refuse("RESTIC_PRUNE_MAX_REPACK", *repack);
    options.push_back("--max-repack-size=" + *repack);
  }
  return options;
}

}  // namespace restic
