// SPDX-License-Identifier: Apache-2.0
// What a flatten has to do, and what earlier ones that were cut off have done of it already.
//
// The new snapshot bears a tag with the names of those that it stands for: so whoever comes later
// knows what it is, from the repository alone.  Old ones are only forgotten when it is whole.
// A second tag has the names of what those were made of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/one/chain.h"
#include "datastore/restic/lib/messages.h"
#include "datastore/restic/lib/stored.h"

namespace restic {

struct FlattenOrder {
  int vm_id = -1;
  Chain chain;  // longer than `keep`
  int keep = 1;
  std::filesystem::path scratch;  // for what cannot be merged on the way
  // The checksums of the captures (KnownSums).  Those of the merged files are left below it, in a
  // directory of the snapshot's name.  Empty: nobody knows them, and none are left.
  std::filesystem::path sums{};
};

struct FlattenPlan {
  std::vector<StoredIncrement> sources;  // to be merged, oldest first; never empty
  std::string tag;                       // of the snapshot to be made
  std::string ancestors_tag;          // the same, of what its sources were made of; empty: nothing
  std::int64_t time = 0;              // its own: that of its newest source
  Chain kept;                         // what stays behind it
  std::optional<Snapshot> done;       // it is there already
  std::vector<std::string> obsolete;  // ids of what has to go when it is there

  int increment() const { return sources.back().increment; }  // whose place it takes
};

// `all`: the snapshots of the repository.  `whole`: does this one hold all its files?  The chain
// must be longer than `keep`, which is at least 1; less is kept where an earlier flatten has merged
// more, and removed some of that.  Throws Error, naming it, for what is missing of
// the chain and cannot be had otherwise.
FlattenPlan plan_flatten(const std::vector<Snapshot>& all, const Chain& chain, int keep,
                         const std::function<bool(const Snapshot&)>& whole);

// The chain as it is stored.  Where increments are gone because flattens have merged them that the
// chain knows nothing of (it is of an older copy of the core's state), it begins with what they
// were merged into, in the place of the last of them: never with what holds later increments, too.
// Whatever is missing for another reason is still in it.
Chain as_stored(const std::vector<Snapshot>& all, const Chain& chain);

// The snapshot of a flatten that has merged this one, as far as is known; nullptr: there is none.
const Snapshot* merged_into(const std::vector<Snapshot>& all, const std::string& id);

// The ids that all of a chain has now: its snapshots and their copies, what flattens have stored
// that were cut off, and what others could not remove.
std::vector<std::string> all_of_chain(const std::vector<Snapshot>& all, const Chain& chain);

// The short ids of what a flatten has made this snapshot of; none if it was not made by one.
std::vector<std::string> stands_for(const Snapshot& snapshot);
// Those that flattens before that one have made those of; the last hundred.
std::vector<std::string> ancestors_of(const Snapshot& snapshot);

// Is this tag one of ours, for one snapshot only?
bool is_own_tag(const std::string& tag);

}  // namespace restic
