// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/server_repository.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "common/cancel.h"
#include "common/random.h"
#include "datastore/rsync/lib/partial_name.h"

namespace rsync {
namespace {

constexpr std::string_view gone_suffix = ".gone";
constexpr const char* lock_file = ".lock";
// Who has lost his connection needs a moment to see that.
constexpr std::chrono::seconds to_end{3};

// One by SFTP, which knows no locks.
bool is_dead_upload(const Dir& vm, const Dir::Entry& entry) {
  const auto found = PartialName::parse(entry.name);
  if (!found || found->owner.empty() || !entry.is_dir()) return false;
  const auto old = [now = time(nullptr)](const Dir::Entry& one) {
    return one.info.st_mtime < now - seconds_until_dead;
  };
  if (!old(entry)) return false;
  const auto inside = vm.at(entry.name).entries();
  return std::all_of(inside.begin(), inside.end(), old);
}

void remove_dead_upload(const Dir& vm, const Dir::Entry& entry) try {
  if (is_dead_upload(vm, entry)) remove_backup(vm, entry.name);
} catch (const Cancelled&) {
  throw;
} catch (const Error&) {  // it may be of another account
}

}  // namespace

std::optional<std::string> without_suffix(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  if (!is_backup_name(name)) return std::nullopt;
  return std::string{name};
}

std::optional<Fd> lock_directory(const Dir& parent, const std::string& name, const Dir& dir) {
  constexpr int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  Fd fd{openat(dir.fd(), lock_file, flags, 0600)};
  if (!fd && errno == ENOENT) return std::nullopt;  // removed, with us in it
  if (!fd) throw system_error("lock '" + dir.path() + "'", errno);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    throw system_error("lock '" + dir.path() + "'", errno);
  }
  // Who held it before may have renamed it, or removed it.
  struct stat own {};
  const auto there = parent.status(name);
  if (fstat(dir.fd(), &own) == 0 && there && there->st_ino == own.st_ino) return fd;
  if (own.st_nlink != 0) dir.remove_file(lock_file);
  return std::nullopt;
}

std::optional<Fd> lock_directory_soon(const Dir& parent, const std::string& name, const Dir& dir,
                                      std::chrono::milliseconds at_most) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  for (;;) {
    if (auto lock = lock_directory(parent, name, dir)) return lock;
    if (std::chrono::steady_clock::now() > end || !dir.is(name)) return std::nullopt;
    cancel::pause(std::chrono::milliseconds{20});
  }
}

Repository::Repository(std::string base, int vm)
    : base_{std::move(base)}, vm_{std::to_string(vm)} {}

std::optional<Dir> Repository::find() const {
  if (access(base_.c_str(), F_OK) != 0 && errno == ENOENT) return std::nullopt;
  return Dir::open(base_).find(vm_);
}

Dir Repository::at() const {
  auto found = find();
  if (!found) throw Error{"there is no '" + base_ + "/" + vm_ + "'"};
  return *std::move(found);
}

Dir Repository::make() const {
  const auto base = Dir::make_all(base_);
  if (base.make(vm_)) base.sync();
  return base.at(vm_);
}

Repository::Files files_of(const Dir& backup) {
  Repository::Files files;
  for (auto& entry : backup.entries())
    if (entry.is_file() && is_file_name(entry.name)) files.push_back(std::move(entry));
  return files;
}

std::map<std::string, std::optional<Repository::Files>> Repository::list(
    const std::vector<std::string>& names) const {
  std::map<std::string, std::optional<Files>> result;
  for (const auto& name : names) result[name];
  const auto vm = find();
  if (!vm) return result;
  if (names.empty())
    for (const auto& entry : vm->entries())
      if (entry.is_dir() && is_backup_name(entry.name)) result[entry.name];
  for (auto& [name, files] : result)
    if (const auto backup = vm->find(name)) files = files_of(*backup);
  return result;
}

bool remove_backup(const Dir& vm, const std::string& name) {
  if (!vm.status(name)) return false;
  const auto gone = name.substr(0, 6) + "." + random_hex(8) + std::string{gone_suffix};
  try {
    if (!vm.rename(name, gone)) throw Error{"'" + vm.in(gone) + "' is in the way"};
  } catch (const Error&) {
    if (!vm.status(name)) return false;  // somebody else was faster
    throw;
  }
  vm.sync();
  vm.remove_tree(gone);
  return true;
}

void remove_leftovers(const Dir& vm) {
  for (const auto& entry : vm.entries()) {
    if (entry.name.ends_with(gone_suffix) && is_backup_name(entry.name.substr(0, 6)))
      vm.remove_tree(entry.name);
    remove_dead_upload(vm, entry);
    if (!entry.is_dir() || !without_suffix(entry.name, partial_suffix)) continue;
    const auto dir = vm.find(entry.name);
    if (!dir) continue;
    if (const auto lock = lock_directory(vm, entry.name, *dir)) remove_backup(vm, entry.name);
  }
}

std::vector<std::string> Repository::remove(const std::vector<std::string>& names) const {
  std::vector<std::string> removed;
  const auto vm = find();
  if (!vm) return removed;
  for (const auto& name : names) {
    bool was_there = remove_backup(*vm, name);
    for (const auto suffix : {flat_suffix, old_suffix})
      was_there = remove_backup(*vm, name + std::string{suffix}) || was_there;
    const auto partial = name + std::string{partial_suffix};
    if (const auto dir = vm->find(partial))
      if (const auto lock = lock_directory_soon(*vm, partial, *dir, to_end))
        remove_backup(*vm, partial);
    if (was_there) removed.push_back(name);
  }
  remove_leftovers(*vm);
  vm->sync();
  const auto base = Dir::open(base_);
  unlinkat(base.fd(), vm_.c_str(), AT_REMOVEDIR);  // fails as long as there is something in it
  return removed;
}

}  // namespace rsync
