// SPDX-License-Identifier: Apache-2.0
// The snapshots that an id stands for.
//
// `restic tag` and `restic copy` give a snapshot another id, and leave the first that it had in its
// field `original`.  We keep ids for as long as a backup lives, so each is looked for as both.
// Whoever can write that field has the password of the repository, and could as well remove the
// snapshot or store another one: nothing is believed of a snapshot for it that was not before.
#pragma once

#include <string>
#include <vector>

#include "datastore/restic/lib/messages.h"

namespace restic {

// By which id we know it: the first that it had.
const std::string& first_id(const Snapshot& snapshot);

// Those with this id, or its first digits, now or at first: the one that has it now before its
// copies.  None if the digits are those of several ids.
std::vector<const Snapshot*> all_known_as(const std::vector<Snapshot>& all, const std::string& id);

// The first of those, for reading it; nullptr: there is none.
const Snapshot* known_as(const std::vector<Snapshot>& all, const std::string& id);

}  // namespace restic
