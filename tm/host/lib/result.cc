// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/result.h"

#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

using nlohmann::json;

namespace host {

std::string Result::to_json() const {
  json out{{"version", 1},
           {"vm", vm_id},
           {"increment", increment},
           {"parent", parent},
           {"live", live},
           {"time", time},
           {"mode", mode == Mode::full ? "FULL" : "INCREMENT"},
           {"freeze",
            {{"asked", to_text(asked)},
             {"consistent", consistent},
             {"why", inconsistent_why},
             {"seconds", freeze_seconds}}},
           {"disks", json::array()},
           {"documents", json::array()},
           {"files", files}};
  if (!capture.empty()) out["capture"] = capture;
  for (const auto& disk : disks)
    out["disks"].push_back({{"id", disk.id},
                            {"target", disk.target},
                            {"file", disk.file},
                            {"format", disk.format},
                            {"kind", disk.kind},
                            {"why", disk.why},
                            {"virtual_size", disk.virtual_size},
                            {"dirty_bytes", disk.dirty_bytes},
                            {"read_bytes", disk.read_bytes},
                            {"file_size", disk.file_size}});
  for (const auto& one : documents)
    out["documents"].push_back(
        {{"what", one.what}, {"file", one.file}, {"why", one.why}, {"size", one.size}});
  return out.dump(1) + "\n";
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

}  // namespace host
