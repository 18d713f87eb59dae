// SPDX-License-Identifier: Apache-2.0
// Names in stores that no record knows: what a backup has stored whose result nobody has heard.
#pragma once

#include <string>
#include <vector>

#include "drivers/lib/home.h"
#include "drivers/lib/store.h"

namespace state {

struct Orphan {
  int vm = -1, datastore = -1;
  std::string name;  // the store's
  std::string kept;  // why it is not for us to remove; empty: it is
  bool removed = false;
};

struct Sweep {
  std::vector<Orphan> orphans;
  std::vector<std::string> problems;  // sentences: what could not be looked at, or removed
};

// Looks at each datastore that machines were ever backed up to, and only for what is of those; with
// `collect` what is found is removed.  Kept is what may be good:
//   backups of a machine with another UUID (stores can be shared);
//   what is of another capture than those that failed, or of an older version's and was not
//   captured while a backup of the machine failed: an older state file, or another one, knows less
//   than was stored.  A backup that failed has left one at most, and none is removed beside what
//   another state has stored since, of which it may be a part;
//   what a merge that was cut off has made: what it was made of may be gone, and the next one
//   needs it.
// A machine that somebody works on, or whose backup, delete or merge is not over, is a problem, and
// left alone: its lock is held meanwhile.
Sweep sweep(Store& store, const Home& home, bool collect);

}  // namespace state
