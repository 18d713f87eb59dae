// SPDX-License-Identifier: Apache-2.0
// That a restore in place is still to be begun: <var>/vms/<vm id>.restore, beside the state file.
//
// An open row of the state file alone does not say so.  It may be a copy that was made before the
// restore was done, and that was put back: the machine has written since.
#pragma once

#include "drivers/lib/home.h"
#include "drivers/lib/restores.h"

namespace state {

// Durable when it returns; before the row.
void note_order(const Home& home, const RestoreRecord& restore);
// Of this row, by this very file (common/file.h), not a copy of it, nor one from before the last
// boot.
bool is_ordered(const Home& home, const RestoreRecord& restore);
// It is begun now, or refused.  Durable.
void forget_order(const Home& home, int vm);

}  // namespace state
