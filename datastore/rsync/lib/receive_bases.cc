// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/receive_bases.h"

#include <algorithm>
#include <vector>

#include "common/sha256.h"
#include "datastore/rsync/lib/receive_hash.h"
#include "datastore/rsync/lib/server_repository.h"

namespace rsync {
namespace {

// "disk.<id>." for the file of a disk.
std::optional<std::string> disk_prefix(const std::string& file) {
  if (!signature_name(file)) return std::nullopt;
  return file.substr(0, file.rfind('.') + 1);
}

std::string word_of(const std::string& side_file) {
  return side_file.substr(0, side_file.find('.'));
}

// The newest first.
std::vector<Dir::Entry> backups_of(const Dir& vm) {
  auto entries = vm.entries();
  std::erase_if(entries,
                [](const auto& one) { return !one.is_dir() || !is_backup_name(one.name); });
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    const auto &x = a.info.st_mtim, &y = b.info.st_mtim;
    return x.tv_sec != y.tv_sec ? x.tv_sec > y.tv_sec : x.tv_nsec > y.tv_nsec;
  });
  return entries;
}

}  // namespace

std::optional<Base> ReceiveBases::find(const std::string& uploaded) {
  const auto prefix = disk_prefix(uploaded);
  if (!prefix) return std::nullopt;
  if (const auto known = held_.find(uploaded); known != held_.end()) return known->second.base;
  for (const auto& entry : backups_of(vm_)) {
    const auto backup = vm_.find(entry.name);
    if (!backup) continue;
    for (const auto& file : files_of(*backup))
      if (disk_prefix(file.name) == prefix && hold(*backup, entry.name, file.name, uploaded))
        return held_.at(uploaded).base;
  }
  return std::nullopt;
}

bool ReceiveBases::hold(const Dir& backup, const std::string& name, const std::string& disk_file,
                        const std::string& uploaded) {
  Held held;
  held.base = {.name = name, .file = disk_file};
  for (const auto& side : {*signature_name(disk_file), *blocks_name(disk_file)}) {
    auto fd = backup.find_file(side);
    if (!fd) return false;
    held.side.emplace(side, *std::move(fd));
  }
  for (const auto& [side, fd] : held.side)
    held.base.side[side] = hex(hash_of(fd.get(), side).finish());
  held.file = backup.file(disk_file);
  held.base.size = size_of(held.file.get(), disk_file);
  held_.insert_or_assign(uploaded, std::move(held));
  return true;
}

int ReceiveBases::side(const std::string& side_file, const std::string& name) const {
  for (const auto& [uploaded, held] : held_)
    if (const auto found = held.side.find(side_file);
        held.base.name == name && found != held.side.end())
      return found->second.get();
  throw Error{"there is no '" + side_file + "' of a base '" + name + "'"};
}

int ReceiveBases::base_of(const std::string& file, const std::string& name) const {
  if (const auto found = held_.find(file); found != held_.end() && found->second.base.name == name)
    return found->second.file.get();
  for (const auto& [uploaded, held] : held_) {
    if (held.base.name != name ||
        (signature_name(uploaded) != file && blocks_name(uploaded) != file))
      continue;
    for (const auto& [side, fd] : held.side)
      if (word_of(side) == word_of(file)) return fd.get();
  }
  throw Error{"'" + file + "' has no base '" + name + "'"};
}

}  // namespace rsync
