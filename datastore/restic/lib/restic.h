// SPDX-License-Identifier: Apache-2.0
// The program restic, at work on one repository from one machine.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/file.h"
#include "common/one/chain.h"
#include "datastore/lib/machine.h"
#include "datastore/restic/lib/messages.h"
#include "datastore/restic/lib/repository.h"
#include "datastore/restic/lib/restic_version.h"
#include "datastore/restic/lib/stored.h"

namespace restic {

// Which way the data of a call goes.
enum class Moves { nothing, in, out };

// Whether a call may be cancelled, or is part of undoing something.
enum class Care { cancellable, undo };

// Throws Cancelled, unless it is for an undo.
void pause(std::chrono::seconds length, Care care);

// For an undo: the call is not cancelled, and has to end soon.
Command with_care(Command call, Care care);

// The time for questions that move next to no data (RESTIC_ANSWER_LIMIT): a store that cannot be
// reached would make restic try again for many minutes.
std::chrono::seconds answer_limit();

class Restic {
 public:
  // Asks for the version: throws Error with the remedy when restic is missing or too old there.
  Restic(const Datastore& datastore, const std::string& repository_id, Machine machine);

  const Repository& repository() const { return repository_; }
  const Machine& machine() const { return machine_; }
  Version version() const { return version_; }

  // `restic <options> args`, ready to run; or as the request for machine()'s helper.
  Command command(const std::vector<std::string>& args, Moves moves = Moves::nothing) const;
  // The same for a backup of what lies in `directory`, within the limits of the datastore.
  Command backup_command(const std::vector<std::string>& args,
                         const std::filesystem::path& directory) const;
  // What of that is the same wherever it is run, and costs whatever it may.
  RunRequest backup_request(const std::vector<std::string>& args,
                            const std::filesystem::path& directory) const;
  RunRequest request(const std::vector<std::string>& args, Moves moves = Moves::nothing) const;

  // Runs `call`, again and again while others have the repository locked (LockWait); returns what
  // came in the end.
  Finished when_unlocked(const Command& call, Care care = Care::cancellable) const;

  // Removes the locks of processes that have died, if it can: those of machine(), and of the
  // machine of `owner`, if it is one on which we have worked on this repository.
  void clear_stale_locks(Care care, const std::optional<LockOwner>& owner = std::nullopt) const;

  // Insists on success: stdout.  `doing` begins the Error: "list the snapshots".
  std::string output(const std::vector<std::string>& args, std::string_view doing,
                     Care care = Care::cancellable) const;

  // The Error for a call that failed.
  Error failure(std::string_view doing, const Finished& finished) const;

  // Makes the repository if there is none.  Nothing else that fails leads to `init`.
  void ensure() const;
  // Throws an Error if there is none: it held what the next snapshot is an increment of.
  void insist() const;
  bool exists() const { return !absent(); }

  // Those of the snapshots that have these ids now; without any id, all.
  std::vector<Snapshot> find(const std::vector<std::string>& ids) const;
  std::vector<Snapshot> find_tagged(const std::string& tag, Care care) const;
  struct Found {
    Chain chain;
    std::vector<Snapshot> snapshots;  // those of it, and perhaps others
  };
  // The chain as it is stored, see flatten_plan.h.  Throws an Error that says so where its end was
  // merged into a later increment.
  Found as_stored(const Chain& chain) const;
  // What the chain is read from, in its order; never nothing.  Throws an Error that names what is
  // missing of it.
  std::vector<StoredIncrement> find_all_of(const Chain& chain) const;

  // Both wait for the exclusive lock.  `limits` are those of prune_options(); nullopt: no prune.
  void forget(const std::vector<std::string>& ids,
              const std::optional<std::vector<std::string>>& limits,
              Care care = Care::cancellable) const;
  void prune(const std::vector<std::string>& limits) const;

  std::chrono::seconds lock_wait() const { return lock_wait_; }

  // A small file of a snapshot.
  std::string dump(const std::string& snapshot, const std::filesystem::path& path) const;

 private:
  Version check_version() const;
  Finished ask(const std::vector<std::string>& args, Care care = Care::cancellable) const;
  bool absent() const;
  FileLock creation_lock() const;
  void create() const;

  Repository repository_;
  Machine machine_;
  confine::Limits limits_;  // of what a backup may cost its host
  std::chrono::seconds lock_wait_;
  Version version_;
};

// Waiting for others to unlock the repository: with growing pauses, warning once of each for whom,
// and clearing away what dead processes left, for at most RESTIC_LOCK_WAIT.
class LockWait {
 public:
  LockWait(const Restic& restic, Care care);
  // After a call that ended so: false if it was not for a lock, or the time is up.
  bool again(const Finished& finished);

 private:
  const Restic& restic_;
  Care care_;
  std::chrono::steady_clock::time_point end_;
  std::chrono::seconds pause_{1};
  bool cleared_ = false;
  std::string told_{};  // whom the last warning was about
};

}  // namespace restic
