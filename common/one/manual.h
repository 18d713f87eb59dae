// SPDX-License-Identifier: Apache-2.0
// The manual page of an action, made from its contract.
#pragma once

#include <string>

#include "common/one/action.h"

std::string manual(const Contract& contract);      // POD, clean for podchecker
std::string short_help(const Contract& contract);  // a few plain lines
