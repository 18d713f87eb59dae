// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/standstill.h"

#include <algorithm>

#include "common/one/action.h"
#include "tm/host/lib/agent.h"
#include "tm/host/lib/domain_job.h"

namespace host {

Freeze how_to_stand_still(const HostRequest& request, bool several_moments, Result& result) {
  const Freeze asked = request.vm.backup.freeze;
  if (asked != Freeze::none || !several_moments) return asked;
  if (request.setting("MULTI_STORE_SUSPEND", "YES") != "NO") return Freeze::suspend;
  result.inconsistent_why = "the disks are not of one point in time (MULTI_STORE_SUSPEND=NO)";
  log(Level::warn, result.inconsistent_why);
  return asked;
}

Standstill::Standstill(Capture& capture, Hypervisor& hypervisor, const Domain& domain,
                       Result& result, Freeze how)
    : capture_{capture}, result_{result} {
  const HostRequest& request = capture.request;
  QuietOptions options{.how = how,
                       .agent_timeout = std::chrono::seconds{request.number("AGENT_TIMEOUT", 10)},
                       .deadline = std::chrono::seconds{request.number("FREEZE_DEADLINE", -1)}};
  if (options.deadline.count() < 0)
    options.deadline = usual_freeze_deadline(
        domain, options.how, std::min(options.agent_timeout, std::chrono::seconds{5}));
  try {
    quiet_ = std::make_unique<Quiet>(hypervisor, domain, capture.journal, request.vm_dir,
                                     capture.guard, options);
  } catch (const Busy&) {
    throw;
  } catch (const Error& e) {
    if (!may_fall_back() || e.exit() == Exit::cancelled) throw;
    result_.inconsistent_why = e.what();
    log(Level::warn, std::string{e.what()} + "; the backup goes on without (FS_FREEZE_FALLBACK)");
  }
}

void Standstill::end(const MachineFiles& files) {
  const bool quiet_at_begin = quiet_ && quiet_->in_force();
  capture_.kept = files.read();
  if (quiet_) {
    quiet_->end();
    result_.freeze_seconds = quiet_->seconds();
    if (!quiet_at_begin) {
      result_.inconsistent_why = "the freeze ended before the backup had begun";
      if (!may_fall_back()) throw Error{result_.inconsistent_why};
    }
  }
  result_.consistent = asked() ? quiet_at_begin : capture_.journal.was_paused;
  if (!result_.consistent && result_.inconsistent_why.empty())
    result_.inconsistent_why = "no freeze was asked for";
}

bool Standstill::may_fall_back() const {
  return capture_.request.setting("FS_FREEZE_FALLBACK", "NO") == "YES";
}

}  // namespace host
