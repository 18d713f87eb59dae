// SPDX-License-Identifier: Apache-2.0
// The disks of a guest that is on another host.
#include <memory>

#include "common/error.h"
#include "tm/host/lib/caller.h"
#include "tm/host/lib/guest_report.h"
#include "tm/host/lib/storage.h"
#include "tm/lib/bridge.h"

namespace host {
namespace {

// The guest does not depend upon it: it has a guard of its own.
constexpr std::chrono::minutes longest_answer{10};

}  // namespace

std::unique_ptr<Origin> open_on_bridge(Capture& capture) {
  auto out = std::make_unique<Storages>();
  out->add(rbd_disks(capture));
  out->result = capture.new_result();
  out->announce();
  Caller caller{capture.guard};
  caller.say(bridge_words::stand_still);
  if (caller.listen(longest_answer) != bridge_words::still)
    throw Error{"who began this backup does not let the guest stand still"};
  out->result.time = utc_now();
  out->take();
  caller.say(bridge_words::go_on);
  auto guest = GuestReport::parse(caller.listen(longest_answer));
  out->result.live = guest.live;
  out->result.consistent = guest.consistent;
  out->result.inconsistent_why = guest.inconsistent_why;
  out->result.freeze_seconds = guest.freeze_seconds;
  capture.domain_xml = std::move(guest.domain_xml);
  capture.kept = std::move(guest.kept);
  out->serve();
  return out;
}

}  // namespace host
