// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/chain_layers.h"

#include <array>
#include <memory>

#include "common/cancel.h"
#include "common/number.h"
#include "common/rbd/diff.h"

namespace {

constexpr std::string_view full_export = ".rbd2", difference = ".rbdiff";

bool begins_as_rbd(const qcow2::ReadAt& read) {
  std::array<std::byte, 12> begin{};
  return read(0, begin) == begin.size() && rbd::is_diff(begin);
}

std::optional<int> disk_before(std::string_view name, std::string_view end) {
  constexpr std::string_view start = "disk.";
  if (!name.starts_with(start) || !name.ends_with(end) || name.size() <= start.size() + end.size())
    return std::nullopt;
  return parse_int(name.substr(start.size(), name.size() - start.size() - end.size()));
}

}  // namespace

void add_layers(std::vector<qcow2::Layer>& layers, const qcow2::ReadAt& read,
                std::uint64_t file_size, const std::string& name) {
  const auto behind = layers.empty() ? qcow2::Behind::nothing : qcow2::Behind::anything;
  if (begins_as_rbd(read)) {
    for (auto& layer : rbd::layers(read, file_size, name, behind)) {
      layer.read = [read = std::move(layer.read)](auto offset, auto out) {
        cancel::check();
        read(offset, out);
      };
      layers.push_back(std::move(layer));
    }
    return;
  }
  const auto disk = std::make_shared<qcow2::DiskFile>(read, file_size, name, behind);
  layers.push_back({.virtual_size = disk->virtual_size(),
                    .extents = disk->extents(),
                    .read = [disk](std::uint64_t offset, std::span<std::byte> out) {
                      cancel::check();
                      disk->read(offset, out);
                    }});
}

std::vector<std::string> names_of_disk(int disk, int increment) {
  const auto start = "disk." + std::to_string(disk);
  const auto own = start + "." + std::to_string(increment);
  std::vector<std::string> names{own, own + std::string{difference}};
  if (increment == 0) names.push_back(start + std::string{full_export});
  return names;
}

bool is_rbd_export(std::string_view name) {
  return name.ends_with(full_export) || name.ends_with(difference);
}

std::optional<int> disk_in(std::string_view name, int increment) {
  const auto end = "." + std::to_string(increment);
  if (const auto disk = disk_before(name, end)) return disk;
  if (const auto disk = disk_before(name, end + std::string{difference})) return disk;
  return increment == 0 ? disk_before(name, full_export) : std::nullopt;
}
