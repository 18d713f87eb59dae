// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/server_chain.h"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/read_at.h"
#include "datastore/lib/chain_layers.h"
#include "datastore/lib/checked_read.h"
#include "datastore/rsync/lib/json_fields.h"
#include "datastore/rsync/lib/part_sums.h"
#include "datastore/rsync/lib/receive_hash.h"
#include "datastore/rsync/lib/server_repository.h"

using nlohmann::json;

namespace rsync {
namespace {

constexpr std::size_t longest_document = std::size_t{1} << 20;
// A flatten may end between two looks of ours, but not at each of them.
constexpr int most_looks = 5;

qcow2::ReadAt reader(int fd, const std::string& name) {
  return [fd, name](std::uint64_t offset, std::span<std::byte> out) {
    return read_at(fd, offset, out, "'" + name + "'");
  };
}

}  // namespace

std::string disk_file(int disk, int increment) {
  return "disk." + std::to_string(disk) + "." + std::to_string(increment);
}

std::optional<Chain> flat_chain(const Dir& backup) try {
  if (!backup.status(flat_document)) return std::nullopt;
  return Chain::parse(
      text_field(json::parse(backup.text(flat_document, longest_document)), "chain"));
} catch (const json::exception&) {
  throw Error{"'" + backup.in(flat_document) + "' is damaged"};
}

Chain standing(const Dir& vm, const Chain& chain) {
  const auto& all = chain.increments();
  for (auto at = all.end(); at != all.begin(); --at)
    if (const auto dir = vm.find((at - 1)->source); dir && flat_chain(*dir))
      return Chain{{at - 1, all.end()}};
  return chain;
}

void write_flat_chain(const Dir& backup, const Chain& chain) {
  backup.write(flat_document, to_text({{"chain", chain.text()}}) + "\n");
}

std::optional<OpenChain> OpenChain::try_open(const Dir& vm, const Chain& chain,
                                             std::string& missing) {
  OpenChain result;
  const auto& all = chain.increments();
  for (auto at = all.rbegin(); at != all.rend(); ++at) {
    auto dir = vm.find(at->source);
    if (!dir) {
      missing = vm.in(at->source);
      return std::nullopt;
    }
    const bool begins = flat_chain(*dir).has_value();
    result.parts_.insert(result.parts_.begin(), {*at, *std::move(dir), begins});
    if (begins) break;
  }
  return result;
}

OpenChain OpenChain::open(const Dir& vm, const Chain& chain) {
  std::string missing;
  for (int look = 0; look < most_looks; ++look)
    if (auto result = try_open(vm, chain, missing)) return *std::move(result);
  throw Error{"there is no '" + missing + "'"};
}

Chain OpenChain::chain() const {
  std::vector<Increment> increments;
  for (const auto& part : parts_) increments.push_back(part.increment);
  return Chain{std::move(increments)};
}

std::vector<int> OpenChain::disks() const {
  std::vector<int> disks;
  const auto& last = parts_.back();
  for (const auto& file : files_of(last.dir))
    if (const auto disk = disk_in(file.name, last.increment.id)) disks.push_back(*disk);
  std::sort(disks.begin(), disks.end());
  return disks;
}

// What is missing is told of when it is opened.
std::string OpenChain::file_of(const Part& part, int disk) {
  for (const auto& name : names_of_disk(disk, part.increment.id))
    if (part.dir.status(name)) return name;
  return disk_file(disk, part.increment.id);
}

std::vector<OpenChain::File> OpenChain::files(int disk) const {
  std::vector<File> files;
  for (const auto& part : parts_) {
    const auto name = file_of(part, disk);
    File file{.name = part.dir.in(name), .fd = part.dir.file(name)};
    file.size = size_of(file.fd.get(), file.name);
    posix_fadvise(file.fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    files.push_back(std::move(file));
  }
  return files;
}

std::vector<OpenChain::File> OpenChain::checked_files(int disk, const Texts& known) const {
  auto all = files(disk);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [increment, dir, flat] = parts_[i];
    const PartFile part{
        .file = file_of(parts_[i], disk),
        .path = all[i].name,
        .size = all[i].size,
        .first = i == 0,
        .flat = flat,
        .size_of = [&dir = dir](const std::string& file) -> std::optional<std::uint64_t> {
          const auto info = dir.status(file);
          if (!info) return std::nullopt;
          return static_cast<std::uint64_t>(info->st_size);
        },
        .read = [&dir = dir](const std::string& file,
                             std::size_t most) { return dir.text(file, most); }};
    all[i].sums = sums_of(part, known);
  }
  return all;
}

qcow2::Merge merge(const std::vector<OpenChain::File>& files, qcow2::Hidden hidden) {
  std::vector<qcow2::Layer> layers;
  for (const auto& file : files)
    add_layers(layers, reader(file.fd.get(), file.name), file.size, file.name);
  return qcow2::Merge{std::move(layers), hidden};
}

qcow2::Merge checked_merge(const std::vector<OpenChain::File>& files, qcow2::Hidden hidden) {
  std::vector<qcow2::Layer> layers;
  for (const auto& file : files) {
    auto read = reader(file.fd.get(), file.name);
    if (file.sums) read = checked(std::move(read), file.size, *file.sums, file.name);
    add_layers(layers, read, file.size, file.name);
  }
  return qcow2::Merge{std::move(layers), hidden};
}

}  // namespace rsync
