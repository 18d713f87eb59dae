// SPDX-License-Identifier: Apache-2.0
// What the rules of retention make of the backups that there are.
#pragma once

#include <vector>

#include "drivers/lib/store.h"
#include "drivers/vmvaultd/lib/retention.h"
#include "drivers/vmvaultd/lib/rules.h"

namespace vmvaultd {

// Of a machine, whose images these are: a plan for each datastore.
std::vector<RetentionPlan> plans_of(state::Store& store, const RuleBook& rules,
                                    const state::VmRecord& machine,
                                    const std::vector<state::ImageRecord>& images, Time now);

}  // namespace vmvaultd
