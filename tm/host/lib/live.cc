// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "common/one/action.h"
#include "tm/host/lib/standstill.h"
#include "tm/host/lib/storage.h"

namespace host {
namespace {

// Without a freeze, disks that are taken one after the other are of one point in time only if the
// guest is paused meanwhile.
Freeze how_to_stand_still(const HostRequest& request, const Storages& disks, Result& result) {
  const Freeze asked = request.vm.backup.freeze;
  if (asked != Freeze::none || !disks.several_moments()) return asked;
  if (request.setting("MULTI_STORE_SUSPEND", "YES") != "NO") return Freeze::suspend;
  result.inconsistent_why = "the disks are not of one point in time (MULTI_STORE_SUSPEND=NO)";
  log(Level::warn, result.inconsistent_why);
  return asked;
}

}  // namespace

std::unique_ptr<Origin> open_live(Capture& capture, Hypervisor& hypervisor, Domain domain) {
  const HostRequest& request = capture.request;
  auto live = inspect(domain, request.vm, request.file_disks(), request.vm_dir);
  const auto guest =
      std::make_shared<const RunningGuest>(RunningGuest{std::move(domain), std::move(live)});
  capture.domain_xml = guest->live.domain_xml;
  auto out = std::make_unique<Storages>();
  out->add(running_files(capture, hypervisor, guest));
  out->add(rbd_disks(capture, guest.get()));
  out->add(lvm_disks(capture, guest.get()));
  out->result = capture.new_result();
  out->result.live = true;
  const MachineFiles files{request, guest->live.keeps};
  const Freeze how = how_to_stand_still(request, *out, out->result);
  capture.journal.was_paused = state_of(guest->domain).paused();
  out->announce();
  {
    Standstill still{capture, hypervisor, guest->domain, out->result, how};
    out->result.time = utc_now();
    out->take();
    still.end(files);
  }
  out->serve();
  return out;
}

}  // namespace host
