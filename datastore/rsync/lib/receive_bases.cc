// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/receive_bases.h"

#include <algorithm>

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

ReceiveBases::ReceiveBases(const Dir& vm, const std::vector<UploadFile>& files) {
  const auto backups = backups_of(vm);
  for (const auto& uploaded : files) {
    const auto prefix = disk_prefix(uploaded.name);
    for (auto at = backups.begin();
         prefix && at != backups.end() && !bases_.contains(uploaded.name); ++at) {
      const auto backup = vm.find(at->name);
      if (!backup) continue;
      for (const auto& file : files_of(*backup))
        if (disk_prefix(file.name) == prefix && hold(*backup, at->name, file.name, uploaded.name))
          break;
    }
  }
}

bool ReceiveBases::hold(const Dir& backup, const std::string& name, const std::string& disk_file,
                        const std::string& uploaded) {
  Base base{.name = name, .file = disk_file};
  Held held;
  for (const auto& side : {*signature_name(disk_file), *blocks_name(disk_file)}) {
    auto fd = backup.find_file(side);
    if (!fd) return false;
    base.side[side] = hex(hash_of(fd->get(), side).finish());
    held.side.emplace(side, *std::move(fd));
  }
  held.file = backup.file(disk_file);
  base.size = size_of(held.file.get(), disk_file);
  bases_[uploaded] = std::move(base);
  held_[uploaded] = std::move(held);
  return true;
}

int ReceiveBases::side(const std::string& side_file, const std::string& name) const {
  for (const auto& [uploaded, base] : bases_)
    if (const auto found = base.side.find(side_file); base.name == name && found != base.side.end())
      return held_.at(uploaded).side.at(side_file).get();
  throw Error{"there is no '" + side_file + "' of a base '" + name + "'"};
}

int ReceiveBases::base_of(const std::string& file, const std::string& name) const {
  if (const auto found = bases_.find(file); found != bases_.end() && found->second.name == name)
    return held_.at(file).file.get();
  for (const auto& [uploaded, base] : bases_) {
    if (base.name != name || (signature_name(uploaded) != file && blocks_name(uploaded) != file))
      continue;
    for (const auto& [side, fd] : held_.at(uploaded).side)
      if (word_of(side) == word_of(file)) return fd.get();
  }
  throw Error{"'" + file + "' has no base '" + name + "'"};
}

}  // namespace rsync
