// SPDX-License-Identifier: Apache-2.0
// What the core asks for besides the objects of a request.
#pragma once

#include <filesystem>

#include "common/one/action.h"

// `-i ID`, `--increment ID` or `--increment=ID` of `ls`, whose contract calls its words OPTION and
// INCREMENT_ID; -1 without it.  BadRequest for anything else.
int increment_option(const Request& request);

// EXTRA_DATA/KEEP_LAST: at least 1.  BadRequest for anything else.
int keep_last(const Request& request);

// EXTRA_DATA/SUMS: a directory with the checksums of the captures, as VMVAULT_SUMS names one;
// empty: the caller knows none.  BadRequest for a path that is not absolute.
std::filesystem::path sums_directory(const Request& request);
