// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "drivers/cli/lib/capture.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/json.h"
#include "drivers/cli/lib/list.h"

namespace cli {
namespace {

Json disk_json(const state::DiskResult& disk) {
  return {{"id", disk.id},
          {"target", disk.target},
          {"file", disk.file},
          {"kind", disk.kind},
          {"why", disk.why},
          {"virtual_size", disk.virtual_size},
          {"dirty_bytes", disk.dirty_bytes},
          {"read_bytes", disk.read_bytes},
          {"file_size", disk.file_size ? Json(disk.file_size) : Json(nullptr)}};
}

Json document_json(const state::DocumentResult& one) {
  return {{"what", one.what}, {"file", one.file}, {"why", one.why}, {"size", one.size}};
}

Json increment_json(const state::BackupRecord& one, int parent) {
  Json out{{"id", one.id},
           {"parent", parent},
           {"type", parent == -1 ? "FULL" : "INCREMENT"},
           {"source", one.source},
           {"date", utc_time(one.date)},
           {"size_mib", one.size_mib},
           {"bytes", one.bytes},
           {"proven", one.proven ? Json(utc_time(*one.proven)) : Json(nullptr)},
           {"damage", one.damage},
           {"live", nullptr},
           {"freeze", nullptr},
           {"consistent", nullptr},
           {"why", nullptr},
           {"disks", Json::array()},
           {"documents", Json::array()}};
  const auto result = result_of(one);
  if (!result) return out;
  out["live"] = result->live;
  out["freeze"] = result->freeze;
  out["consistent"] = result->consistent;
  out["why"] = result->why;
  for (const auto& disk : result->disks) out["disks"].push_back(disk_json(disk));
  for (const auto& document : result->documents)
    out["documents"].push_back(document_json(document));
  return out;
}

Json document(const App& app, const state::ImageRecord& image) {
  auto out = summary(app, image);
  out["increments"] = Json::array();
  for (int parent = -1; const auto& one : image.increments) {
    out["increments"].push_back(increment_json(one, parent));
    parent = one.id;
  }
  return out;
}

std::string kind(int parent, const std::optional<state::CaptureResult>& result) {
  if (parent == -1) return "full";
  return result && result->all_whole() ? "increment, whole" : "increment";
}

void print_disks(const state::ImageRecord& image) {
  std::vector<std::vector<std::string>> rows{
      {"INCREMENT", "DISK", "TARGET", "KIND", "STORED", "DIRTY", "VIRTUAL SIZE"}};
  std::string reasons;
  for (const auto& one : image.increments) {
    const auto result = result_of(one);
    if (!result) continue;
    for (const auto& disk : result->disks) {
      rows.push_back({std::to_string(one.id), std::to_string(disk.id), disk.target, disk.kind,
                      disk.file_size ? size_text(disk.file_size) : "-", size_text(disk.dirty_bytes),
                      size_text(disk.virtual_size)});
      if (!disk.why.empty())
        reasons += "increment " + std::to_string(one.id) + ", disk " + std::to_string(disk.id) +
                   " is whole: " + printable(disk.why) + "\n";
    }
    for (const auto& document : result->documents)
      if (document.file.empty())
        reasons += "increment " + std::to_string(one.id) + ": the " + printable(document.what) +
                   " is not in it: " + printable(document.why) + "\n";
  }
  std::printf("\n%s%s", table(rows).c_str(), reasons.c_str());
}

}  // namespace

void show(const App& app, int id, Form form) {
  const auto image = app.image(id);
  if (form == Form::json) {
    print(document(app, image));
    return;
  }
  const auto vm = app.store().vm(image.vm).value();
  std::fputs(table({{"image", std::to_string(image.id)},
                    {"domain", vm.name},
                    {"uuid", vm.uuid},
                    {"vm id", std::to_string(vm.id)},
                    {"datastore", std::to_string(image.datastore)},
                    {"created", local_time(image.created)},
                    {"size", size_text(bytes(image))},
                    {"state", state_text(app, image)}})
                 .c_str(),
             stdout);
  std::vector<std::vector<std::string>> rows{
      {"INCREMENT", "DATE", "KIND", "SIZE", "CONSISTENCY", "PROVEN", "SNAPSHOT"}};
  for (int parent = -1; const auto& one : image.increments) {
    const auto result = result_of(one);
    rows.push_back({std::to_string(one.id), local_time(one.date), kind(parent, result),
                    size_text(one.bytes), result ? consistency_text(*result) : "unknown",
                    proof_text(one), one.source});
    parent = one.id;
  }
  std::printf("\n%s", table(rows).c_str());
  for (const auto& one : image.increments)
    if (!one.damage.empty())
      std::printf("increment %d is corrupt: %s\n", one.id, printable(one.damage).c_str());
  print_disks(image);
}

}  // namespace cli
