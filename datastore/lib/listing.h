// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "common/one/chain.h"

// The reply of `ls`: one JSON object with the URL of each disk among `paths` by its id, and of a
// TPM's state by "tpm".  `url` is complete but for its path.
std::string listing(const std::vector<std::string>& paths, DiskUrl url);
