// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/server_chain.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/cancel.h"
#include "common/number.h"
#include "common/qcow2/disk_file.h"
#include "datastore/rsync/lib/json_fields.h"
#include "datastore/rsync/lib/receive_hash.h"
#include "datastore/rsync/lib/server_repository.h"

using nlohmann::json;

namespace rsync {
namespace {

constexpr std::size_t longest_document = std::size_t{1} << 20;
// A flatten may end between two looks of ours, but not at each of them.
constexpr int most_looks = 5;

std::optional<int> disk_of(const std::string& file, int increment) {
  constexpr std::string_view start = "disk.";
  const auto end = "." + std::to_string(increment);
  if (!file.starts_with(start) || !file.ends_with(end) || file.size() <= start.size() + end.size())
    return std::nullopt;
  return parse_int(
      std::string_view{file}.substr(start.size(), file.size() - start.size() - end.size()));
}

qcow2::ReadAt reader(int fd, const std::string& name) {
  return [fd, name](std::uint64_t offset, std::span<std::byte> out) {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n =
          pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (n == -1 && errno == EINTR) continue;
      if (n == -1) throw system_error("read '" + name + "'", errno);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
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
    result.parts_.insert(result.parts_.begin(), {*at, *std::move(dir)});
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
    if (const auto disk = disk_of(file.name, last.increment.id)) disks.push_back(*disk);
  std::sort(disks.begin(), disks.end());
  return disks;
}

std::vector<OpenChain::File> OpenChain::files(int disk) const {
  std::vector<File> files;
  for (const auto& part : parts_) {
    const auto name = disk_file(disk, part.increment.id);
    File file{.name = part.dir.in(name), .fd = part.dir.file(name)};
    file.size = size_of(file.fd.get(), file.name);
    posix_fadvise(file.fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    files.push_back(std::move(file));
  }
  return files;
}

qcow2::Merge merge(const std::vector<OpenChain::File>& files, qcow2::Hidden hidden) {
  std::vector<qcow2::Layer> layers;
  for (const auto& file : files) {
    // What stock has put there as a backing file is not believed: the chain says what is behind.
    const auto behind = layers.empty() ? qcow2::Behind::nothing : qcow2::Behind::anything;
    const auto disk = std::make_shared<qcow2::DiskFile>(reader(file.fd.get(), file.name), file.size,
                                                        file.name, behind);
    layers.push_back({.virtual_size = disk->virtual_size(),
                      .extents = disk->extents(),
                      .read = [disk](std::uint64_t offset, std::span<std::byte> out) {
                        cancel::check();
                        disk->read(offset, out);
                      }});
  }
  return qcow2::Merge{std::move(layers), hidden};
}

}  // namespace rsync
