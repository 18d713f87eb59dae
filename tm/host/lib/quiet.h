// SPDX-License-Identifier: Apache-2.0
// A guest that stands still for as long as this object lives.
//
// The guard of the backup sets the guest free when we are gone, or when the deadline has passed.
#pragma once

#include <chrono>
#include <filesystem>

#include "common/one/vm.h"
#include "tm/host/lib/guard.h"
#include "tm/host/lib/hypervisor.h"
#include "tm/host/lib/journal.h"

namespace host {

struct QuietOptions {
  Freeze how = Freeze::none;
  std::chrono::seconds agent_timeout{10};
  std::chrono::seconds deadline{30};  // the guard sets the guest free after this
};

class Quiet {
 public:
  // Freezes or pauses, after the journal says so.  A guest that stands still already, by somebody
  // else's doing, is left as it is, also at the end.  Throws Error when it cannot, with the guest
  // free; Busy while the domain runs a job.
  Quiet(Hypervisor& hypervisor, const Domain& domain, Journal& journal,
        const std::filesystem::path& vm_dir, Guard& guard, const QuietOptions& options);
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  ~Quiet();

  // Does it stand still now?  (A guard, an operator or the agent itself may have ended it.)
  bool in_force() const;
  // Sets the guest free; throws Error when it does not come free.
  void end();
  double seconds() const { return seconds_; }  // from the freeze to the end

 private:
  bool stands_still() const;
  void warn_of_others() const;
  void freeze();
  bool release() noexcept;

  Hypervisor& hypervisor_;
  const Domain& domain_;
  Journal& journal_;
  std::filesystem::path vm_dir_;
  Guard& guard_;
  QuietOptions options_;
  bool ours_ = false;  // we froze it, so we set it free
  std::chrono::steady_clock::time_point begun_;
  double seconds_ = 0;
};

}  // namespace host
