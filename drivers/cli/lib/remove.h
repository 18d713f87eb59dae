// SPDX-License-Identifier: Apache-2.0
// vmvault delete: an image, with all its increments.
#pragma once

#include <functional>

#include "drivers/cli/lib/app.h"
#include "drivers/lib/reading.h"

namespace cli {

// Throws an Error when it is protected, somebody reads it, or the service restores something from
// it.  Nobody begins to read it while what is returned is kept.
state::Reading insist_unneeded(App& app, const state::ImageRecord& image);
// The same, and `mark` puts on record that it goes: nobody can come to need it in between.
void mark_unneeded(App& app, int image, const std::function<void()>& mark);

// `force`: it is gone here also when its datastore says no.  A protected one stays in any case.
void remove(App& app, int image, bool force);

}  // namespace cli
