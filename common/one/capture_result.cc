// SPDX-License-Identifier: Apache-2.0
#include "common/one/capture_result.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/json.h"
#include "common/sha256.h"

std::uint64_t CaptureResult::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& disk : disks) sum += disk.file_size;
  return sum;
}

bool CaptureResult::says_sizes() const {
  return std::all_of(disks.begin(), disks.end(),
                     [](const auto& one) { return one.file_size != 0; });
}

bool CaptureResult::all_whole() const {
  return !disks.empty() && std::all_of(disks.begin(), disks.end(),
                                       [](const auto& disk) { return disk.kind == "whole"; });
}

const DocumentResult* CaptureResult::document(std::string_view what) const {
  const auto found = std::find_if(documents.begin(), documents.end(),
                                  [&](const auto& one) { return one.what == what; });
  return found == documents.end() ? nullptr : &*found;
}

bool CaptureResult::lacks_domain() const { return !files.empty() && !files.contains("domain.xml"); }

// A file is read through the guest's qemu if there is one; snapshots of Ceph and LVM never are.
bool CaptureResult::is_as_seen(const DiskResult& disk) const {
  return live && disk.format != "rbd" && disk.format != "lvm";
}

bool CaptureResult::is_as_captured(const std::string& file, std::string_view text) const {
  const auto sum = files.find(file);
  return sum == files.end() || sum->second == sha256_of(text);
}

CaptureResult parse_result(std::string_view json) try {
  const auto document = parse_json(json);
  CaptureResult result;
  document.at("vm").get_to(result.vm);
  document.at("increment").get_to(result.increment);
  result.parent = document.value("parent", -1);
  result.live = document.value("live", false);
  const auto freeze = document.value("freeze", nlohmann::json::object());
  result.freeze = freeze.value("asked", "NONE");
  result.consistent = freeze.value("consistent", false);
  result.why = freeze.value("why", "");
  for (const auto& disk : document.at("disks"))
    result.disks.push_back({.id = disk.at("id"),
                            .target = disk.at("target"),
                            .file = disk.at("file"),
                            .kind = disk.at("kind"),
                            .why = disk.value("why", ""),
                            .virtual_size = disk.value("virtual_size", std::uint64_t{0}),
                            .dirty_bytes = disk.value("dirty_bytes", std::uint64_t{0}),
                            .read_bytes = disk.value("read_bytes", std::uint64_t{0}),
                            .file_size = disk.value("file_size", std::uint64_t{0}),
                            .format = disk.value("format", "")});
  for (const auto& one : document.value("documents", nlohmann::json::array()))
    result.documents.push_back({.what = one.at("what"),
                                .file = one.at("file"),
                                .why = one.value("why", ""),
                                .size = one.value("size", std::uint64_t{0})});
  result.files = document.value("files", result.files);
  return result;
} catch (const nlohmann::json::exception&) {
  throw BadRequest{"the capture's result is not readable"};
}
