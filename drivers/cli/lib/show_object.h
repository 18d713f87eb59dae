// SPDX-License-Identifier: Apache-2.0
// An object in words.
#pragma once

#include <string>

#include "drivers/cli/lib/elements.h"

namespace cli {

// A line per attribute, as "NAME : value"; parts that have attributes of their own follow.
std::string object_text(const Element& object);

}  // namespace cli
