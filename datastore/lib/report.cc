// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "datastore/lib/verification.h"

namespace {

using nlohmann::json;

json number_or_null(const std::optional<std::uint64_t>& value) {
  return value ? json(*value) : json{};
}

json document(const DiskReport& disk) {
  return {{"id", disk.id},
          {"file", disk.file},
          {"size", disk.size},
          {"sums", disk.sums},
          {"proven", disk.proven},
          {"problem", disk.problem},
          {"offset", number_or_null(disk.offset)},
          {"guest_offset", number_or_null(disk.guest_offset)}};
}

}  // namespace

std::string Report::to_json() const {
  json out{{"repository", repository}, {"increments", json::array()}};
  for (const auto& one : increments) {
    json increment{{"id", one.id},
                   {"snapshot", one.snapshot},
                   {"problem", one.problem},
                   {"disks", json::array()}};
    for (const auto& disk : one.disks) increment["disks"].push_back(document(disk));
    out["increments"].push_back(std::move(increment));
  }
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}
