// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "common/one/action.h"
#include "tm/host/lib/rbd_guest.h"
#include "tm/host/lib/standstill.h"
#include "tm/host/lib/storage.h"

namespace host {
namespace {

// Whoever encrypts a disk wants to know where it lies open.
void tell_of_encrypted(const LiveDomain& live) {
  for (const auto& disk : live.disks)
    if (disk.encrypted)
      log(Level::warn, "disk '" + disk.target +
                           "' is encrypted on this host, and is stored as the guest sees it: "
                           "without that encryption (restic has one of its own, rsync has none)");
}

}  // namespace

std::unique_ptr<Origin> open_live(Capture& capture, Hypervisor& hypervisor, Domain domain) {
  const HostRequest& request = capture.request;
  auto live = inspect(domain, request.vm, request.file_disks(), request.vm_dir);
  const auto guest =
      std::make_shared<const RunningGuest>(RunningGuest{std::move(domain), std::move(live)});
  capture.domain_xml = guest->live.domain_xml;
  tell_of_encrypted(guest->live);
  auto out = std::make_unique<Storages>();
  out->add(running_files(capture, hypervisor, guest));
  insist_on_images(request, guest->domain);
  out->add(rbd_disks(capture));
  out->add(lvm_disks(capture, guest.get()));
  out->result = capture.new_result();
  out->result.live = true;
  const MachineFiles files{request, guest->live.keeps};
  const Freeze how = how_to_stand_still(request, out->several_moments(), out->result);
  note_state(capture.journal, guest->domain);
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
