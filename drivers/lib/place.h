// SPDX-License-Identifier: Apache-2.0
// Whether this state is the one that its backups are looked after by, or a copy of it.
//
// The state file says on which machine and in which directory it is at home.  A copy of it says so,
// too, and is somewhere else: what it merged, deleted or took for failed would be the original's.
#pragma once

#include <filesystem>
#include <string>

#include "drivers/lib/home.h"
#include "drivers/lib/store.h"

namespace state {

// To be asked before a backup, a merge, a deletion, a restore in place, and all that looks after
// backups.  An Error when this is a copy, or was moved, until somebody adopts it.  A new state, and
// one of an older version, is at home where it is asked first.
void insist_on_place(Store& store, const Home& home);

// The same as a question: what that Error would say, or nothing.  Notes nothing.
std::string why_not_in_place(Store& store, const Home& home);

// Somebody says that this is the one from now on: it is at home here, and the default datastore has
// its repositories here, if they are not where they were but here.  An Error when the original is
// still in its place on this machine.
void adopt(Store& store, const Home& home);

}  // namespace state
