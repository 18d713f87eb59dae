// SPDX-License-Identifier: Apache-2.0
// Running the orchestrator of one backup, and keeping what it says.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "drivers/cli/lib/app.h"
#include "drivers/lib/outcome.h"
#include "drivers/lib/result.h"

namespace cli {

using state::Stored;

struct CaptureRequest {
  std::string document;            // of a BACKUP message
  bool freeze_is_a_bonus = false;  // nobody asked for it: without it the backup goes on
};

// Runs vmm/kvm/backup with `request`.  The attempt is on record before, its end after; the reply
// goes to <dir>/backup.reply.<attempt>, so that a backup that outlives us is still known to be
// good.
Stored capture(App& app, const state::Attempt& attempt, const CaptureRequest& request);

// What became of attempts whose vmvault died: those that ended well are recorded now, the others
// are noted as failed.  The caller holds the machine's lock, and nobody works on it.
void settle(App& app, const state::VmRecord& vm);

// "consistent (agent)", "crash-consistent: why".
std::string consistency_text(const state::CaptureResult& result);

}  // namespace cli
