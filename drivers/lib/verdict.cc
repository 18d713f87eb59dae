// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/verdict.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/json.h"

namespace state {
namespace {

using nlohmann::json;

std::optional<std::uint64_t> number_or_null(const json& value) {
  return value.is_null() ? std::nullopt : std::optional{value.get<std::uint64_t>()};
}

DiskVerdict disk_of(const json& disk) {
  return {.id = disk.at("id"),
          .file = disk.at("file"),
          .size = disk.at("size"),
          .sums = disk.at("sums"),
          .proven = disk.at("proven"),
          .problem = disk.at("problem"),
          .offset = number_or_null(disk.at("offset")),
          .guest_offset = number_or_null(disk.at("guest_offset"))};
}

}  // namespace

std::string IncrementVerdict::damage() const {
  for (const auto& disk : disks) {
    if (disk.problem.empty()) continue;
    auto text = "disk " + std::to_string(disk.id);
    if (disk.offset) text += ", offset " + std::to_string(*disk.offset);
    if (disk.guest_offset)
      text += " (" + std::to_string(*disk.guest_offset) + " on the guest's disk)";
    return text + ": " + disk.problem;
  }
  return problem;
}

bool IncrementVerdict::sums() const {
  return !disks.empty() &&
         std::all_of(disks.begin(), disks.end(), [](const auto& disk) { return disk.sums; });
}

bool IncrementVerdict::proven() const {
  return damage().empty() && !disks.empty() &&
         std::all_of(disks.begin(), disks.end(), [](const auto& disk) { return disk.proven; });
}

const IncrementVerdict* Verdict::first_damaged() const {
  const auto found = std::find_if(increments.begin(), increments.end(),
                                  [](const auto& one) { return !one.damage().empty(); });
  return found == increments.end() ? nullptr : &*found;
}

std::uint64_t Verdict::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& increment : increments)
    for (const auto& disk : increment.disks) sum += disk.size;
  return sum;
}

Verdict parse_verdict(std::string_view text) try {
  const auto document = parse_json(text);
  Verdict out;
  document.at("repository").get_to(out.repository);
  for (const auto& one : document.at("increments")) {
    auto& increment = out.increments.emplace_back();
    one.at("id").get_to(increment.id);
    one.at("problem").get_to(increment.problem);
    for (const auto& disk : one.at("disks")) increment.disks.push_back(disk_of(disk));
  }
  return out;
} catch (const json::exception&) {
  throw Error{"the datastore's answer about a backup is not readable"};
}

}  // namespace state
