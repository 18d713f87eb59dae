// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/recover.h"

#include <unistd.h>

#include <exception>

#include "common/error.h"
#include "common/file.h"
#include "common/nbd/server.h"
#include "common/one/action.h"
#include "tm/host/lib/agent.h"
#include "tm/host/lib/exchange.h"
#include "tm/host/lib/hypervisor.h"
#include "tm/host/lib/layer_switch.h"
#include "tm/host/lib/lvm_snapshots.h"
#include "tm/host/lib/pull_job.h"
#include "tm/host/lib/rbd_snapshots.h"
#include "tm/host/lib/view.h"

namespace host {
namespace {

bool owes_guest(const Journal& journal) {
  return journal.thaw_owed != Freeze::none || journal.job_begun || !journal.switches.empty();
}

// Why the links may be behind still, while the guest goes on.  It is resumed once: somebody else
// may pause it then.
std::exception_ptr end_switch(const Journal& journal, Hypervisor& hypervisor,
                              const std::filesystem::path& vm_dir) {
  Journal left = journal;
  try {
    finish_switch(left, hypervisor, vm_dir);
    return nullptr;
  } catch (const Error&) {
    if (left.resume_owed) throw;
    if (journal.resume_owed) left.save(vm_dir);
    return std::current_exception();
  }
}

void set_guest_right(const Journal& journal, Hypervisor& hypervisor,
                     const std::filesystem::path& vm_dir) {
  const std::string who = "VM " + std::to_string(journal.vm_id);
  const std::exception_ptr links = end_switch(journal, hypervisor, vm_dir);
  const bool ended = end_jobs_of(journal, hypervisor);
  // Before the thaw: the agent of a guest that is paused does not answer.
  if (ended) resume_after_io_error(hypervisor, journal);
  if (journal.thaw_owed != Freeze::none &&
      !set_free(hypervisor, journal.domain, journal.thaw_owed, std::chrono::seconds{30}))
    throw Error{"the guest of " + who + " that an earlier backup stopped could not be set free"};
  if (!ended) {
    Journal left = journal;
    left.thaw_owed = Freeze::none;  // once, as above
    left.save(vm_dir);
    throw Error{"the backup job that an earlier backup left in " + who + " could not be ended"};
  }
  if (links) std::rethrow_exception(links);
}

bool is_frozen(const Domain& domain) try {
  return fs_status(domain, std::chrono::seconds{5}) == FsStatus::frozen;
} catch (const Error& e) {
  log(Level::warn, e.what());
  return false;
}

// It was started here, or migrated as it stood.  A pause may also be somebody's who has seen to it
// since.
void see_to_arrived(const Journal& journal, Hypervisor& hypervisor, const Domain& domain) {
  const std::string who = "the guest of VM " + std::to_string(journal.vm_id);
  if (journal.thaw_owed == Freeze::agent && is_frozen(domain)) {
    log(Level::error, who + " is frozen since it was migrated during a backup: thawing it");
    if (!set_free(hypervisor, journal.domain, Freeze::agent, std::chrono::seconds{30}))
      throw Error{who + ", which a backup on another host froze, could not be set free"};
  }
  const bool pause = journal.thaw_owed == Freeze::suspend || journal.resume_owed;
  if (pause && state_of(domain).paused_by_user())
    log(Level::error, who + " is paused, perhaps since it was migrated during a backup: unless " +
                          "somebody knows why, resume it (virsh resume)");
}

// The journal of another host is not ours to carry out.  But a guest that runs here does not run
// there.
void see_to_guest_of_other_host(const Journal& journal, Hypervisor& hypervisor,
                                const std::filesystem::path& vm_dir) {
  const auto domain = hypervisor.find(journal.domain);
  if (domain && is_active(*domain)) return see_to_arrived(journal, hypervisor, *domain);
  throw Error{"'" + (vm_dir / "backup.journal").string() + "' was left by a backup on the host " +
              journal.host_uuid +
              ", where the guest may still be stopped: look after it there, then remove that file"};
}

// It may have to wait for a cluster that is not there, and who ends the backup need not know more.
void remove_snapshots_last(const Journal& journal, const std::filesystem::path& vm_dir) {
  if (journal.snapshots.empty()) return;
  Journal rest = journal;
  rest.backup_dir.clear();
  rest.scratch.clear();
  rest.switches.clear();
  rest.volumes.clear();
  rest.thaw_owed = Freeze::none;
  rest.job_begun = rest.resume_owed = false;
  rest.exporter = -1;
  rest.save(vm_dir);
  remove_snapshots(rest.snapshots, ceph_access(Shielded::yes));
}

}  // namespace

bool owes(const Journal& journal) {
  return owes_guest(journal) || !journal.snapshots.empty() || !journal.volumes.empty();
}

bool end_jobs_of(const Journal& journal, Hypervisor& hypervisor) {
  const Begun begun = journal.job_begun ? Begun::perhaps : Begun::surely;
  for (const auto& path : journal.scratch)
    if (path.extension() == ".sock" && !abort_own_job(hypervisor, journal.domain, path, begun))
      return false;
  return true;
}

void pay_debts(const std::filesystem::path& vm_dir) {
  settle_exchange(vm_dir);
  const auto journal = Journal::load(vm_dir);
  if (!journal) return;
  log(Level::warn,
      "an earlier backup of VM " + std::to_string(journal->vm_id) + " died: cleaning up after it");
  settle(*journal, vm_dir);
}

void settle(const Journal& journal, const std::filesystem::path& vm_dir) {
  bool at_home = true;
  if (owes_guest(journal) || !journal.volumes.empty()) {
    Hypervisor hypervisor{journal.libvirt_uri};
    at_home = journal.host_uuid == hypervisor.host_uuid();
    // After a reboot of the host the guest that was stopped is not there any more: it may run here
    // now, but it was started or migrated since.
    if (owes_guest(journal) && !at_home)
      see_to_guest_of_other_host(journal, hypervisor, vm_dir);
    else if (owes_guest(journal) && journal.boot_id == boot_id())
      set_guest_right(journal, hypervisor, vm_dir);
  }
  if (!journal.backup_dir.empty()) unmount_view(journal.backup_dir);
  for (const auto& path : journal.scratch) {
    nbd::end_servers(path);
    remove_tree(path);  // now none can begin to serve there
  }
  rmdir((vm_dir / "tmp").c_str());  // if nothing else is in it
  if (!journal.backup_dir.empty()) remove_tree(journal.backup_dir);
  settle_volumes(journal.volumes, at_home ? Where::here : Where::elsewhere,
                 lvm_access(Shielded::yes));
  remove_snapshots_last(journal, vm_dir);
  Journal::remove(vm_dir);
}

}  // namespace host
