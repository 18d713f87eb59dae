// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/exporter.h"

#include <poll.h>
#include <unistd.h>

#include <iterator>
#include <utility>

#include "common/cancel.h"
#include "common/file.h"
#include "common/one/action.h"
#include "tm/host/lib/reading.h"
#include "tm/host/lib/recover.h"
#include "tm/host/lib/view.h"

namespace host {
namespace {

ViewFiles files_of(const Handover& what) {
  ViewFiles out;
  const auto reading = Reading::of(what.capture.request, what.disks.size());
  for (size_t i = 0; i < what.disks.size(); ++i) {
    const auto& disk = what.disks[i];
    const nbd::FileReader::Options options{.connections = reading.connections_of(disk.deep),
                                           .in_flight = disk.deep ? reading.requests_of(true) : 1,
                                           .ahead = reading.ahead,
                                           .deadline = reading.deadline,
                                           .limiter = reading.limiter};
    out.disks.emplace_back(disk.target.filename(), std::make_unique<nbd::SummedReader>(
                                                       disk.source, what.plans[i], options));
  }
  out.documents = what.documents;
  return out;
}

class Exporter {
 public:
  explicit Exporter(Handover& what)
      : what_{what},
        guard_{what.capture.guard},
        lease_{what.capture.request.number("VIEW_LEASE", 1800)},
        view_{what.capture.request.backup_dir, files_of(what)} {}

  // What was told of the disks outlives the view, if somebody wants it.
  void keep_sums() noexcept try {
    for (const auto& [name, sums] : view_.sums()) host::keep_sums(what_.capture, name, sums);
  } catch (const std::exception& e) {
    log(Level::warn, e.what());
  }

  // Until somebody asks for the end, or nobody is interested any more.
  void serve() {
    while (!ended_within(std::chrono::seconds{1})) {
      if (view_.idle() > lease_) {
        log(Level::error, "nobody has read the view for " + std::to_string(lease_.count()) +
                              " s: ending the backup");
        return;
      }
      if (view_.is_over()) {
        log(Level::error, view_.failure() + ": ending the backup");
        return;
      }
      look_after_guest();
    }
  }

 private:
  bool ended_within(std::chrono::milliseconds limit) {
    pollfd fds[] = {{cancel::fd(), POLLIN, 0}, {guard_.fd(), POLLIN, 0}};
    poll(fds, std::size(fds), static_cast<int>(limit.count()));
    return cancel::requested() || guard_.dead();
  }

  // A backup that fails does so at once for the guest; for its reader when he reads on.
  void look_after_guest() {
    try {
      guard_.check();
      if (const auto why = view_.failure(); !why.empty()) throw Error{why};
    } catch (const Error& e) {
      if (what_.origin) log(Level::error, e.what());
      view_.fail(e.what());
      end_job();
    }
  }

  // libvirt may not answer just now: then it is asked again in a second.
  void end_job() try {
    if (what_.origin) what_.origin->end();
    what_.origin.reset();
  } catch (const Error& e) {
    log(Level::error, e.what());
  }

  Handover& what_;
  Guard& guard_;
  std::chrono::seconds lease_;
  View view_;
};

void say(int& ready, const std::string& what) {
  if (ready == -1) return;
  write_all(ready, what, "tell that the view is ready");
  close(std::exchange(ready, -1));
}

}  // namespace

int run_exporter(Handover& what, int ready) noexcept try {
  Journal& journal = what.capture.journal;
  try {
    if (what.hypervisor) what.hypervisor->after_fork();
    journal.exporter = getpid();
    journal.save(what.capture.request.vm_dir);
    Exporter exporter{what};
    what.capture.guard.check();  // a view without a guard would end before anybody reads it
    say(ready, "ready");
    exporter.serve();
    exporter.keep_sums();
  } catch (const std::exception& e) {
    if (ready == -1) throw;
    say(ready, e.what());
    return 1;
  }
  if (what.origin) what.origin->end();
  what.origin.reset();
  settle(journal, what.capture.request.vm_dir);
  return 0;
} catch (const std::exception& e) {
  log(Level::error, e.what());
  return 1;
}

}  // namespace host
