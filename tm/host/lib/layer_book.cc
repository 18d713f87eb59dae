// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/layer_book.h"

#include <nlohmann/json.hpp>

#include "common/file.h"
#include "common/json.h"
#include "tm/host/lib/disk_layers.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace host {
namespace {

std::string layer_of(const json& in) {
  const std::string name = in;
  if (!is_layer_name(name)) throw std::invalid_argument{"no layer"};
  return name;
}

}  // namespace

LayerBook::LayerBook(const fs::path& vm_dir) : file_{vm_dir / "backup.layers"} {
  try {
    load();
  } catch (const std::exception&) {
    disks_.clear();
  }
}

void LayerBook::load() {
  const auto text = read_file_if_any(file_);
  if (!text) return;
  const json in = parse_json(*text);
  for (const auto& [id, one] : in.at("disks").items()) {
    Disk& disk = disks_[std::stoi(id)];
    for (const auto& layer : one.at("made")) disk.made.insert(layer_of(layer));
    for (const auto& [increment, layer] : one.at("since").items())
      disk.since[std::stoi(increment)] = layer_of(layer);
  }
}

void LayerBook::save() const {
  json out{{"version", 1}, {"disks", json::object()}};
  for (const auto& [id, disk] : disks_) {
    json since = json::object();
    for (const auto& [increment, layer] : disk.since) since[std::to_string(increment)] = layer;
    out["disks"][std::to_string(id)] = {{"made", disk.made}, {"since", since}};
  }
  write_file(file_, out.dump(1) + "\n");
}

std::optional<std::string> LayerBook::since(int increment, int disk) const {
  const auto found = disks_.find(disk);
  if (found == disks_.end()) return std::nullopt;
  const auto layer = found->second.since.find(increment);
  if (layer == found->second.since.end()) return std::nullopt;
  return layer->second;
}

std::set<std::string> LayerBook::made(int disk) const {
  const auto found = disks_.find(disk);
  return found == disks_.end() ? std::set<std::string>{} : found->second.made;
}

void LayerBook::add(int disk, const std::string& layer) {
  if (disks_[disk].made.insert(layer).second) save();
}

void LayerBook::forget(int disk, const std::string& layer) {
  if (disks_[disk].made.erase(layer) != 0) save();
}

void LayerBook::begin(int increment, const std::map<int, std::string>& layers, int keep) {
  for (auto& [id, disk] : disks_)
    std::erase_if(disk.since, [&](const auto& one) { return one.first != keep; });
  for (const auto& [id, layer] : layers) disks_[id].since[increment] = layer;
  save();
}

void LayerBook::rename(int disk, const std::string& from, const std::string& to) {
  for (auto& [increment, layer] : disks_[disk].since)
    if (layer == from) layer = to;
  disks_[disk].made.insert(to);
  save();
}

}  // namespace host
