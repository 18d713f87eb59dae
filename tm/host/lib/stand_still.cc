// SPDX-License-Identifier: Apache-2.0
// The guest of a backup that is made on a bridge.
#include "common/error.h"
#include "tm/host/lib/begin.h"
#include "tm/host/lib/caller.h"
#include "tm/host/lib/exchange.h"
#include "tm/host/lib/guest_report.h"
#include "tm/host/lib/live_disk.h"
#include "tm/host/lib/lock.h"
#include "tm/host/lib/rbd_guest.h"
#include "tm/host/lib/recover.h"
#include "tm/host/lib/register.h"
#include "tm/host/lib/standstill.h"
#include "tm/lib/bridge.h"

namespace host {
namespace {

// The guard sets the guest free long before: this is for a caller who is there and says nothing.
constexpr std::chrono::minutes longest_standstill{10};

void until_all_is_taken(const Capture& capture) {
  Caller caller{capture.guard};
  caller.say(bridge_words::still);
  if (caller.listen(longest_standstill) != bridge_words::go_on)
    throw Error{"who began this backup does not say that the guest may go on"};
}

GuestReport report_of_running(Capture& capture, Hypervisor& hypervisor) {
  const HostRequest& request = capture.request;
  const Domain domain = running_domain(capture, hypervisor);
  const auto live = inspect(domain, request.vm, {}, request.vm_dir);
  capture.domain_xml = live.domain_xml;
  insist_on_images(request, domain);
  const MachineFiles files{request, live.keeps};
  Result result = capture.new_result();
  const Freeze how = how_to_stand_still(request, request.disk_ids.size() > 1, result);
  note_state(capture.journal, domain);
  {
    Standstill still{capture, hypervisor, domain, result, how};
    until_all_is_taken(capture);
    still.end(files);
  }
  return {.live = true,
          .consistent = result.consistent,
          .inconsistent_why = result.inconsistent_why,
          .freeze_seconds = result.freeze_seconds,
          .domain_xml = capture.domain_xml,
          .kept = capture.kept};
}

GuestReport report_of_stopped(Capture& capture, Hypervisor& hypervisor) {
  look_at_stopped(capture, hypervisor);
  until_all_is_taken(capture);
  auto kept = MachineFiles{capture.request, capture.keeps()}.read();
  const auto domain = domain_of(hypervisor, capture.request);
  if (domain && is_active(*domain)) throw Error{"the VM was started while its disks were taken"};
  return {.live = false,
          .consistent = true,
          .inconsistent_why = {},
          .freeze_seconds = 0,
          .domain_xml = capture.domain_xml,
          .kept = std::move(kept)};
}

GuestReport report_of(Capture& capture, Hypervisor& hypervisor) try {
  const auto domain = domain_of(hypervisor, capture.request);
  // One that was off may have been started since.
  if (capture.request.live || (domain && is_active(*domain)))
    return report_of_running(capture, hypervisor);
  return report_of_stopped(capture, hypervisor);
} catch (const Error&) {  // the guard may know better why
  capture.guard.check();
  throw;
}

}  // namespace

std::string stand_still(const HostRequest& request) {
  const FileLock held = lock_unless_used(request);
  pay_debts(request.vm_dir);
  // Whoever restored this VM in place is gone, or it would not be backed up.
  end_exchange(request.vm_dir);
  Hypervisor hypervisor{request.libvirt_uri};
  Guard guard{{request.vm_dir, request.libvirt_uri, held.fd()}};
  Journal journal = new_journal(request, &hypervisor);
  journal.backup_dir.clear();  // which is on the bridge
  journal.guard = guard.pid();
  enter(request.vm_dir);
  journal.save(request.vm_dir);
  Capture capture{.request = request, .journal = journal, .guard = guard};
  GuestReport report;
  try {
    report = report_of(capture, hypervisor);
  } catch (...) {
    if (!owes(journal)) Journal::remove(request.vm_dir);
    throw;
  }
  settle(journal, request.vm_dir);
  return report.to_line();
}

}  // namespace host
