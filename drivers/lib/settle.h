// SPDX-License-Identifier: Apache-2.0
// What became of backups whose vmvault, or service, is gone.
#pragma once

#include <optional>
#include <vector>

#include "drivers/lib/driver_line.h"
#include "drivers/lib/outcome.h"

namespace state {

struct Settled {
  Attempt attempt;
  std::optional<Stored> stored;  // none: it was interrupted, and is noted as failed
};

// The machine's unfinished attempts, oldest first: those that ended well are in the store when this
// returns, the others have failed.  The caller holds the machine's lock, and the service does not
// run, or asks for it itself.  An Error when a backup of the service's driver still runs.
std::vector<Settled> settle(Store& store, const Home& home, int vm);

// What the driver has of an earlier backup of this VM is nobody's any more.  To be said before
// there is an attempt at another one: it would be taken for that one's.
void drop_answers(const Home& home, int vm);

// For the drivers, which ask whether somebody waits for the result of this VM's backup (ADR 17).
// Who begins to wait does not wait for what the driver has of an earlier one.
void note_waiting(const Home& home, int vm, bool waits);

// Has the VMM driver a request of this VM, or its result?
bool driver_knows(const Home& home, int vm);

// What the VMM driver says, or has said, of this VM's backup; nullopt: it runs, or the driver knows
// none.
std::optional<mad::Answer> driver_answer(const Home& home, int vm);

// When its backup ended of which the VMM driver has the result.
std::optional<std::int64_t> driver_ended(const Home& home, int vm);

}  // namespace state
