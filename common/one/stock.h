// SPDX-License-Identifier: Apache-2.0
// Requests that are not ours to serve.
#pragma once

#include <string>

#include "common/one/action.h"

// Becomes the executable that this one has replaced, which install.sh has kept beside it as
// <name>.stock, with the arguments and the stdin that came.  Throws Error, beginning with `why`,
// when there is none.
[[noreturn]] void hand_to_stock(const Request& request, const std::string& why);
