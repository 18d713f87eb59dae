// SPDX-License-Identifier: Apache-2.0
// Removing snapshots, and when the data that only they used is given back.
//
// restic prunes under an exclusive lock: nobody can back up into that repository meanwhile.  So the
// datastore says when (RESTIC_PRUNE).  A note tells what is still to be done: the file
// <var dir>/restic-prune.<datastore>.<repository>.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "common/one/datastore.h"
#include "datastore/restic/lib/restic.h"

namespace restic {

// The limits of pruning (RESTIC_PRUNE_MAX_UNUSED, RESTIC_PRUNE_MAX_REPACK).  BadRequest, naming
// the attribute, for a value that restic would not take.
std::vector<std::string> prune_options(const Datastore& datastore);

// A part of the day, in local time; it may go on past midnight.
struct Window {
  std::chrono::minutes from{}, to{};

  static Window parse(const std::string& text);  // "22:00-06:00"; BadRequest
  bool holds(std::chrono::minutes of_day) const;
};

class PrunePolicy {
 public:
  // RESTIC_PRUNE, RESTIC_PRUNE_WINDOW (of the datastore, else the settings) and the limits.
  // BadRequest, naming it, for a value that is none.
  explicit PrunePolicy(const Datastore& datastore);

  const std::vector<std::string>& limits() const { return limits_; }
  bool now() const;             // a removal prunes at once
  bool window_is_open() const;  // what was left to the window may be done

 private:
  enum class When { now, window, never };
  When when_ = When::now;
  Window window_;
  std::vector<std::string> limits_;
};

// Forgets the snapshots of a chain, those of them that there are, with all copies in this
// repository, and prunes if the policy says "now".  When it returns they are gone; that their data
// is still there is no Error, but logged and noted.
void remove_chain(const Restic& restic, const Chain& chain, const PrunePolicy& policy);

// Prunes, and takes the note back.  Waits for the exclusive lock.
void prune(const Restic& restic, const PrunePolicy& policy);

// Something of this repository waits for a prune.
void note_prune(const Repository& repository);
// The repositories of the datastore with such a note.
std::vector<std::string> noted_for_prune(int datastore_id);
// Held by who prunes them.
std::filesystem::path prune_lock(int datastore_id);

}  // namespace restic
