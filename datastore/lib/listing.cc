// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/listing.h"

#include <map>
#include <nlohmann/json.hpp>

#include "common/number.h"

std::string listing(const std::vector<std::string>& paths, DiskUrl url) {
  std::map<int, std::string> disks;
  std::string tpm;
  for (const std::filesystem::path path : paths) {
    const auto name = path.filename().string();
    if (!name.starts_with("disk.")) continue;
    url.path = path;
    const auto id = name.substr(5, name.find('.', 5) - 5);
    if (id == "tpm") tpm = url.text();
    if (const auto number = parse_int(id)) disks[*number] = url.text();
  }
  nlohmann::ordered_json all = nlohmann::ordered_json::object();
  for (const auto& [id, text] : disks) all[std::to_string(id)] = text;
  if (!tpm.empty()) all["tpm"] = tpm;
  return all.dump();
}
