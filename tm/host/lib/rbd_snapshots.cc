// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/rbd_snapshots.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "common/error.h"
#include "common/number.h"
#include "common/one/action.h"
#include "tm/lib/host_request.h"

namespace host {
namespace {

// Of a backup that was killed: what it began goes on, and makes the snapshot later.
void wait_for_maker(const Journal::Snapshot& snapshot, const rbd::Access& access) {
  const auto maker = rbd::maker_of(snapshot.image, snapshot.name);
  if (!maker) return;
  const std::string what = "process " + std::to_string(maker->pid) +
                           ", which is making the snapshot " + snapshot.name + " of " +
                           snapshot.image.display();
  log(Level::info, "waiting for " + what);
  const Fd process = maker->open();
  if (!process) return;
  const auto until = std::chrono::steady_clock::now() + access.deadline;
  for (pollfd ended{process.get(), POLLIN, 0};;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    const int found = poll(&ended, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (found == 1) return;
    if (found == 0) throw Error{what + ", does not end"};
    if (errno != EINTR) throw system_error("wait for " + what, errno);
  }
}

}  // namespace

rbd::Access ceph_access(Shielded shielded) {
  const auto settings = settings_of_this_host();
  const auto found = settings.find("CEPH_DEADLINE");
  const auto seconds = found == settings.end() ? std::nullopt : parse_number(found->second);
  return {.deadline = std::chrono::seconds{std::max<std::int64_t>(1, seconds.value_or(30))},
          .shielded = shielded == Shielded::yes};
}

std::string increment_snapshot(int increment) {
  return full_snapshot + ("_" + std::to_string(increment));
}

bool is_snapshot_name(std::string_view name) {
  if (name == full_snapshot) return true;
  const std::string prefix = std::string{full_snapshot} + "_";
  return name.starts_with(prefix) && parse_int(name.substr(prefix.size())).has_value();
}

void remove_snapshots(const std::vector<Journal::Snapshot>& snapshots, const rbd::Access& access) {
  std::optional<Error> first;
  const auto begun = std::chrono::steady_clock::now();
  for (const auto& one : snapshots) try {
      // A cluster that does not answer need not be asked for each of them.
      if (first && std::chrono::steady_clock::now() - begun >= access.deadline) break;
      wait_for_maker(one, access);
      rbd::remove_snapshot(one.image, one.name, access);
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& e) {
      if (!first) first = e;
    }
  if (first) throw *first;
}

}  // namespace host
