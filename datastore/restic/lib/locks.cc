// SPDX-License-Identifier: Apache-2.0
// Waiting for a repository that others have locked.
#include <poll.h>

#include <algorithm>

#include "common/cancel.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/action.h"
#include "common/one/config.h"
#include "common/one/location.h"
#include "datastore/restic/lib/hosts.h"
#include "datastore/restic/lib/restic.h"

namespace restic {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr seconds longest_pause{15};
constexpr seconds undo_limit{60};  // per command of an undo: somebody waits for us to end
constexpr Stop at_once{SIGTERM, std::chrono::milliseconds{200}};

// Of all of them, after a cancellation.
std::chrono::milliseconds cancel_limit() {
  const auto given = parse_int(setting("RESTIC_CANCEL_LIMIT").value_or(""), 1);
  return given ? seconds{*given} : std::chrono::milliseconds{4500};
}

std::string lock_holder(const std::optional<LockOwner>& owner) {
  return owner ? std::to_string(owner->pid) + " on " + owner->host : "somebody";
}

std::chrono::milliseconds time_to_undo() {
  if (!cancel::requested()) return undo_limit;
  return std::max(std::chrono::milliseconds{0}, cancel_limit() - cancel::age());
}

}  // namespace

seconds answer_limit() {
  constexpr int usual = 300;
  return seconds{parse_int(setting("RESTIC_ANSWER_LIMIT").value_or(""), 1).value_or(usual)};
}

Command with_care(Command call, Care care) {
  if (care == Care::undo) call.shielded().deadline(time_to_undo());
  if (care == Care::undo && cancel::requested()) call.stop_with(at_once);
  return call;
}

void pause(seconds length, Care care) {
  pollfd asked[] = {{care == Care::undo ? -1 : cancel::fd(), POLLIN, 0}};
  poll(asked, 1, static_cast<int>(std::chrono::milliseconds{length}.count()));
  if (care == Care::cancellable) cancel::check();
}

LockWait::LockWait(const Restic& restic, Care care)
    : restic_{restic},
      care_{care},
      end_{Clock::now() + (care == Care::undo ? std::min<std::chrono::milliseconds>(
                                                    restic.lock_wait(), time_to_undo())
                                              : restic.lock_wait())} {}

bool LockWait::again(const Finished& finished) {
  if (classify(finished.status, finished.err) != Outcome::locked) return false;
  if (Clock::now() >= end_) return false;
  const auto owner = lock_owner(finished.err);
  // Each time, since the owner may die while we wait.
  restic_.clear_stale_locks(care_, owner);
  if (!std::exchange(cleared_, true)) return true;
  const auto& repository = restic_.repository();
  // A warning, as that is what people are shown.
  if (std::exchange(told_, lock_holder(owner)) != lock_holder(owner))
    log(Level::warn, "waiting for the " + repository.display() + ", which is locked by " +
                         repository.without_secrets(owner ? owner->text() : reason(finished.err)));
  const auto left = std::chrono::ceil<seconds>(end_ - Clock::now());
  pause(std::clamp(left, seconds{0}, pause_), care_);
  pause_ = std::min(pause_ * 2, longest_pause);
  return true;
}

// restic itself knows whose owner is dead, of those on its own machine: this removes no lock of a
// living process.  Of others it believes that only after half an hour.
void Restic::clear_stale_locks(Care care, const std::optional<LockOwner>& owner) const {
  with_care(command({"unlock"}).deadline(answer_limit()), care).run();
  if (care == Care::undo || !owner) return;
  const auto host = is_this_machine(owner->host) ? std::optional{std::string{}}
                                                 : known_host(repository_, owner->host);
  if (!host || *host == machine_.host()) return;
  try {
    Machine{*host}.command(request({"unlock"})).deadline(undo_limit).run();
  } catch (const Cancelled&) {
    throw;
  } catch (const Error&) {  // it may be down: then there is only the half hour
  }
}

}  // namespace restic
