// SPDX-License-Identifier: Apache-2.0
#include "common/one/flat_result.h"

#include <nlohmann/json.hpp>

#include "common/json.h"

std::string flat_result(std::string_view document, const std::map<int, std::uint64_t>& sizes) try {
  auto result = parse_json(document);
  result.at("parent") = -1;
  for (auto& disk : result.at("disks")) {
    const auto size = sizes.find(disk.at("id").get<int>());
    if (size == sizes.end()) continue;
    disk["kind"] = "full";
    disk["why"] = "";
    disk["dirty_bytes"] = disk.value("virtual_size", std::uint64_t{0});
    disk["file_size"] = size->second;
  }
  return result.dump(1) + "\n";
} catch (const nlohmann::json::exception&) {
  return std::string{document};
}
