// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/pull_job.h"

#include <libvirt/virterror.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "common/one/action.h"
#include "common/one/xml.h"
#include "tm/host/lib/checkpoints.h"
#include "tm/host/lib/domain_job.h"

namespace host {
namespace {

std::string new_checkpoint_xml(const PullOrder& order) {
  std::vector<std::string> targets, others{order.others};
  for (const auto& disk : order.disks) (disk.checkpoint ? targets : others).push_back(disk.target);
  return checkpoint_xml(*order.checkpoint, std::nullopt, targets, others);
}

// A guest that has powered itself off takes its job with it, but libvirt says so only 30 s later.
bool is_powering_off(const Domain& domain) { return state_of(domain).state == VIR_DOMAIN_SHUTDOWN; }

bool ended_within(const Domain& domain, std::chrono::seconds limit) {
  constexpr std::chrono::seconds power_off{3};
  const auto begin = std::chrono::steady_clock::now();
  while (is_active(domain) && has_backup_job(domain)) {
    const auto waited = std::chrono::steady_clock::now() - begin;
    if (waited > power_off && is_powering_off(domain)) return true;
    if (waited > limit) {
      log(Level::error,
          "the backup job did not end within " + std::to_string(limit.count()) + " s");
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return true;
}

std::string with_remedy(std::string what, const std::filesystem::path& socket) {
  if (what.find("bind socket") != what.npos || what.find("Permission denied") != what.npos)
    what += "; qemu's user (and its AppArmor or SELinux profile) must be allowed to write in '" +
            socket.parent_path().string() +
            "': allow it there, or name another directory with SOCKET_DIR and SCRATCH_PATH in "
            "vmvault.conf";
  return what;
}

}  // namespace

std::string backup_xml(const PullOrder& order) {
  const Xml document = Xml::create("domainbackup");
  XmlNode root = document.root();
  root.set_attribute("mode", "pull");
  XmlNode server = root.add("server");
  server.set_attribute("transport", "unix");
  server.set_attribute("socket", order.socket.string());
  XmlNode disks = root.add("disks");
  for (const auto& one : order.disks) {
    XmlNode disk = disks.add("disk");
    disk.set_attribute("name", one.target);
    disk.set_attribute("backup", "yes");
    disk.set_attribute("type", "file");
    disk.set_attribute("exportname", one.target);
    disk.set_attribute("backupmode", one.since ? "incremental" : "full");
    if (one.since) {
      disk.set_attribute("incremental", *one.since);
      disk.set_attribute("exportbitmap", one.exported_bitmap());
    }
    disk.add("driver").set_attribute("type", "qcow2");
    disk.add("scratch").set_attribute("file", one.scratch.string());
  }
  for (const auto& target : order.others) {
    XmlNode disk = disks.add("disk");
    disk.set_attribute("name", target);
    disk.set_attribute("backup", "no");
  }
  return document.dump();
}

bool abort_own_job(Hypervisor& hypervisor, const std::string& domain_uuid,
                   const std::filesystem::path& socket, Begun begun) noexcept {
  try {
    const auto domain = hypervisor.find(domain_uuid);
    if (!domain || !is_active(*domain)) return true;
    const auto job = job_of(*domain);
    if (job && *job != VIR_DOMAIN_JOB_OPERATION_BACKUP && begun == Begun::perhaps)
      throw Error{"another job of the domain runs, and its backup job may wait for that"};
    if (job != VIR_DOMAIN_JOB_OPERATION_BACKUP) return true;
    const Xml xml{take(virDomainBackupGetXMLDesc(domain->get(), 0), "look at the backup job")};
    const auto server = xml.root().first("server");
    // Others write "//", as the core does.
    const std::filesystem::path name = server ? server->attribute("socket").value_or("") : "";
    if (name.lexically_normal() != socket) return true;  // not ours
    // Only asks for it: the job is there until qemu has ended its own.
    if (virDomainAbortJob(domain->get()) != 0) throw VirtError{"end the backup job"};
    return ended_within(*domain, std::chrono::seconds{30});
  } catch (const std::exception& e) {
    log(Level::error, e.what());
    return false;
  }
}

PullJob::PullJob(Hypervisor& hypervisor, const Domain& domain, const PullOrder& order,
                 Journal& journal, const std::filesystem::path& vm_dir)
    : hypervisor_{hypervisor}, journal_{journal}, vm_dir_{vm_dir}, socket_{order.socket} {
  try {
    insist_on_no_job(domain, journal_.vm_id);
  } catch (const Error& e) {
    forget();
    throw Busy{e.what()};
  }
  if (!journal_.job_begun) {
    journal_.job_begun = true;
    journal_.save(vm_dir_);
  }
  const std::string backup = backup_xml(order);
  const std::string checkpoint = order.checkpoint ? new_checkpoint_xml(order) : "";
  if (virDomainBackupBegin(domain.get(), backup.c_str(),
                           order.checkpoint ? checkpoint.c_str() : nullptr, 0) != 0) {
    const VirtError error{"begin the backup of the domain"};
    // The answer may have been lost, and the job begun all the same; but not where libvirt has
    // waited for another job's end in vain.
    begun_ = true;
    finish(error.code() == VIR_ERR_OPERATION_TIMEOUT ? Begun::surely : Begun::perhaps);
    if (error.code() == VIR_ERR_CHECKPOINT_INCONSISTENT ||
        error.code() == VIR_ERR_NO_DOMAIN_CHECKPOINT)
      throw error;
    throw Error{with_remedy(error.what(), order.socket)};
  }
  begun_ = true;
}

bool PullJob::finish(Begun begun) noexcept {
  if (!begun_) return true;
  if (!abort_own_job(hypervisor_, journal_.domain, socket_, begun)) return false;
  begun_ = false;
  resume_after_io_error(hypervisor_, journal_);
  forget();
  return true;
}

void PullJob::forget() noexcept try {
  journal_.job_begun = false;
  journal_.save(vm_dir_);
} catch (const Error& e) {
  log(Level::warn, e.what());
}

void PullJob::end() {
  if (!finish(Begun::surely)) throw Error{"the backup job of the domain could not be ended"};
}

void resume_after_io_error(Hypervisor& hypervisor, const Journal& journal) noexcept {
  try {
    const auto domain = hypervisor.find(journal.domain);
    if (!domain || journal.had_io_error || !is_active(*domain)) return;
    if (!state_of(*domain).paused_by_io_error()) return;
    if (virDomainResume(domain->get()) != 0) throw VirtError{"resume the guest"};
    log(Level::warn, "qemu had paused the guest for an I/O error during the backup: resumed");
  } catch (const std::exception& e) {
    log(Level::error, e.what());
  }
}

}  // namespace host
