// SPDX-License-Identifier: Apache-2.0
// Objects as XML documents, from where they are: a service, or the state file.
#pragma once

#include <string>

#include "drivers/cli/lib/elements.h"
#include "drivers/cli/lib/kinds.h"
#include "drivers/cli/lib/tree.h"

namespace cli {

// <IMAGE_POOL>...</IMAGE_POOL>: those that this user may see.
std::string pool_xml(Context& with, Kind kind);

// The number of an object: the word itself, or that of the only object of this name.  BadRequest
// when there is none, or several.
int object_id(Context& with, Kind kind, const std::string& word);

// <IMAGE>...</IMAGE>
std::string object_xml(Context& with, Kind kind, int id);

// <QUEUE>...</QUEUE>, as drivers/vmvaultd/lib/queue.h has it.
std::string queue_text(Context& with);

}  // namespace cli
