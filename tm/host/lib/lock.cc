// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/lock.h"

#include <csignal>

#include "common/error.h"
#include "common/mount.h"
#include "common/one/action.h"
#include "tm/host/lib/journal.h"
#include "tm/host/lib/view.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 (Debian 12) forgets to say this itself
}

namespace fs = std::filesystem;

namespace host {
namespace {

fs::path lock_file(const HostRequest& request) { return request.vm_dir / "backup.lock"; }

void insist_on_directory(const HostRequest& request) {
  if (fs::is_directory(request.vm_dir)) return;
  throw Error{"the directory of VM " + std::to_string(request.vm.id) + ", '" +
              request.vm_dir.string() + "', does not exist on this host"};
}

// A process that holds this very lock: a number alone may be anybody's by now.
class Holder {
 public:
  Holder(pid_t pid, const fs::path& file) {
    if (pid <= 0) return;
    Fd process{pidfd_open(pid, 0)};
    std::error_code error;
    const auto wanted = fs::canonical(file, error);
    for (fs::directory_iterator at{"/proc/" + std::to_string(pid) + "/fd", error}, end;
         !error && at != end; at.increment(error))
      if (fs::read_symlink(at->path(), error) == wanted) process_ = std::move(process);
  }

  explicit operator bool() const { return static_cast<bool>(process_); }
  void signal(int number) const {
    if (process_) pidfd_send_signal(process_.get(), number, nullptr, 0);
  }

 private:
  Fd process_;
};

void break_view(const fs::path& at) {
  const auto mount = mount_on(at);
  if (mount && is_view(at)) break_fuse(at, *mount);
}

bool only_removes_snapshots(const HostRequest& request) {
  const auto journal = Journal::load(request.vm_dir);
  return journal && journal->only_snapshots();
}

// The lock, if whoever has it gives it within some seconds.  After that he is gone, or not in the
// way.
std::optional<FileLock> ask_to_end(From whom, const HostRequest& request) {
  const auto journal = Journal::load(request.vm_dir);
  if (!journal || journal->boot_id != boot_id()) return std::nullopt;
  const auto maker = journal->exporter > 0   ? journal->exporter
                     : whom == From::anybody ? journal->pid
                                             : -1;
  const Holder holder{maker, lock_file(request)}, guard{journal->guard, lock_file(request)};
  if (!holder) return std::nullopt;
  // Who was stopped does not obey before he is continued.  This comes first: who stops on his way
  // to the end does so on purpose.
  for (const auto* one : {&holder, &guard}) one->signal(SIGCONT);
  holder.signal(SIGTERM);
  // After a failure somebody waits for the end; and LVM may take its time to remove a snapshot.
  const std::chrono::seconds grace{request.vm.failed ? 1 : journal->volumes.empty() ? 5 : 30};
  if (auto lock = FileLock::try_lock_for(lock_file(request), grace)) return lock;
  if (only_removes_snapshots(request)) return std::nullopt;
  log(Level::warn, "the backup of VM " + std::to_string(request.vm.id) +
                       " on this host does not end when it is asked to: killing it");
  break_view(request.backup_dir);
  holder.signal(SIGKILL);
  return std::nullopt;
}

}  // namespace

FileLock lock_vm(const HostRequest& request, std::chrono::seconds limit) {
  insist_on_directory(request);
  return FileLock::lock(lock_file(request), limit,
                        "the backup of VM " + std::to_string(request.vm.id));
}

FileLock lock_from(From whom, const HostRequest& request, std::chrono::seconds limit) {
  if (auto lock = ask_to_end(whom, request)) return *std::move(lock);
  return lock_vm(request, limit);
}

std::optional<FileLock> lock_to_end(const HostRequest& request, std::chrono::seconds limit) {
  insist_on_directory(request);
  if (auto lock = ask_to_end(From::anybody, request)) return lock;
  const auto now = std::chrono::steady_clock::now;
  const auto end = now() + limit;
  // A cluster that is well needs less, for many disks and under load, too.
  const std::chrono::seconds for_snapshots{request.vm.failed ? 2 : 20};
  for (auto busy = now(); now() < end;) {
    if (auto lock = FileLock::try_lock_for(lock_file(request), std::chrono::milliseconds{200}))
      return lock;
    if (!only_removes_snapshots(request)) busy = now();
    if (now() - busy >= for_snapshots) return std::nullopt;
  }
  return lock_vm(request, std::chrono::seconds{0});
}

FileLock lock_unless_used(const HostRequest& request) {
  return request.take_over ? lock_from(From::exporter, request, std::chrono::seconds{60})
                           : lock_vm(request, std::chrono::seconds{10});
}

}  // namespace host
