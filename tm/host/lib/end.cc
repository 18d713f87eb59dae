// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "tm/host/lib/begin.h"
#include "tm/host/lib/for_stock.h"
#include "tm/host/lib/foreign.h"
#include "tm/host/lib/journal.h"
#include "tm/host/lib/lock.h"
#include "tm/host/lib/recover.h"
#include "tm/host/lib/register.h"
#include "tm/host/lib/view.h"

namespace fs = std::filesystem;

namespace host {

bool end(const HostRequest& request) {
  // Of a failure or a cancellation somebody waits for the end; and who has the lock then and does
  // not give it is a guard, which does the same work, or no matter of ours.
  const std::chrono::seconds limit{request.vm.failed ? 4 : 60};
  // On a bridge nothing may have been begun, or all of it is over.
  const bool begun = !request.bridge || fs::is_directory(request.vm_dir);
  const auto held = begun ? lock_to_end(request, limit) : std::nullopt;
  if (held)
    pay_debts(request.vm_dir);
  else if (begun)
    log(Level::warn, "the cluster of VM " + std::to_string(request.vm.id) +
                         " does not answer: the snapshots of its backup are removed later");
  unmount_view(request.backup_dir);
  remove_tree(request.backup_dir);
  // What a bridge keeps is no part of a VM's directory that goes with the VM.
  if (request.bridge && held) {
    remove_tree(request.vm_dir);
    rmdir(request.vm_dir.parent_path().c_str());
  }
  // <base path>/<vm id>, if that is where it was.
  if (request.backup_dir.parent_path() != request.vm_dir)
    rmdir(request.backup_dir.parent_path().c_str());
  return held || !begun;
}

void recover(const HostRequest& request) {
  const FileLock held = lock_unless_used(request);
  pay_debts(request.vm_dir);
}

void recover_foreign(const HostRequest& request) {
  const FileLock held = lock_unless_used(request);
  pay_debts(request.vm_dir);
  Hypervisor hypervisor{request.libvirt_uri};
  repair_foreign(request, hypervisor);
}

void recover_for_stock(const HostRequest& request) {
  const FileLock held = lock_unless_used(request);
  pay_debts(request.vm_dir);
  Hypervisor hypervisor{request.libvirt_uri};
  Guard guard{{request.vm_dir, request.libvirt_uri, held.fd()}};
  Journal journal = new_journal(request, &hypervisor);
  journal.guard = guard.pid();
  enter(request.vm_dir);
  journal.save(request.vm_dir);
  Capture capture{.request = request, .journal = journal, .guard = guard};
  leave_to_stock(capture, hypervisor);
  settle(journal, request.vm_dir);
}

void recover_all() {
  int failed = 0;
  for (const auto& vm_dir : entered()) try {
      if (!fs::is_directory(vm_dir)) {
        strike_out(vm_dir);
        continue;
      }
      const auto held = FileLock::try_lock(vm_dir / "backup.lock");
      if (!held) continue;  // it lives, or somebody sees to it already
      pay_debts(vm_dir);
      strike_out(vm_dir);
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& e) {
      log(Level::error, e.what());
      ++failed;
    }
  if (failed > 0)
    throw Error{"what dead backups left could not be cleaned up for " + std::to_string(failed) +
                (failed == 1 ? " VM" : " VMs")};
}

std::string status(const HostRequest& request) {
  nlohmann::json out{{"vm", request.vm.id}};
  out["working"] = !FileLock::try_lock(request.vm_dir / "backup.lock").has_value();
  const auto journal = Journal::load(request.vm_dir);
  out["journal"] = journal ? nlohmann::json::parse(journal->to_text()) : nlohmann::json{};
  return out.dump();
}

}  // namespace host
