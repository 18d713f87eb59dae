// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/quiet.h"

#include "common/one/action.h"
#include "tm/host/lib/agent.h"
#include "tm/host/lib/domain_job.h"

namespace host {

Quiet::Quiet(Hypervisor& hypervisor, const Domain& domain, Journal& journal,
             const std::filesystem::path& vm_dir, Guard& guard, const QuietOptions& options)
    : hypervisor_{hypervisor},
      domain_{domain},
      journal_{journal},
      vm_dir_{vm_dir},
      guard_{guard},
      options_{options} {
  if (options_.how == Freeze::none) return;
  if (options_.how == Freeze::agent) {
    virDomainAgentSetResponseTimeout(domain_.get(),
                                     static_cast<int>(options_.agent_timeout.count()), 0);
    ping_agent(domain_, options_.agent_timeout);
  }
  insist_on_no_job(domain_, journal_.vm_id);
  if (stands_still()) {
    warn_of_others();
    return;
  }
  journal_.thaw_owed = options_.how;
  journal_.save(vm_dir_);
  ours_ = true;
  guard_.standing_still(options_.how, journal_.domain, options_.deadline);
  freeze();
}

bool Quiet::stands_still() const {
  if (options_.how == Freeze::suspend) return state_of(domain_).paused();
  return fs_status(domain_, options_.agent_timeout) == FsStatus::frozen;
}

// Others may have a reason.  It may also be what a backup left that ended while its guest was
// migrated.
void Quiet::warn_of_others() const {
  if (options_.how != Freeze::agent) return;
  log(Level::warn,
      "the guest's file systems are frozen already, not by this backup, and stay so: "
      "unless somebody knows why, thaw them (virsh domfsthaw)");
}

void Quiet::freeze() {
  begun_ = std::chrono::steady_clock::now();
  const int rc = options_.how == Freeze::suspend ? virDomainSuspend(domain_.get())
                                                 : virDomainFSFreeze(domain_.get(), nullptr, 0, 0);
  if (rc >= 0) return;
  const VirtError error{options_.how == Freeze::suspend ? "pause the guest"
                                                        : "freeze the guest's file systems"};
  release();  // a freeze that failed may have frozen some of it, or may happen late
  throw error;
}

Quiet::~Quiet() { release(); }

bool Quiet::in_force() const {
  if (options_.how == Freeze::none) return true;
  try {
    return stands_still();
  } catch (const Error& e) {
    log(Level::warn, e.what());
    return false;
  }
}

void Quiet::end() {
  if (!release())
    throw Error{"the guest could not be set free again; a guard goes on trying for half an hour"};
}

bool Quiet::release() noexcept {
  if (!ours_) return true;
  ours_ = false;
  const bool free = set_free(hypervisor_, journal_.domain, options_.how, std::chrono::seconds{60});
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  if (!free) return false;  // the guard goes on, and the journal keeps the debt
  guard_.freed();
  try {
    journal_.thaw_owed = Freeze::none;
    journal_.save(vm_dir_);
  } catch (const Error& e) {
    log(Level::warn, e.what());
  }
  return true;
}

}  // namespace host
