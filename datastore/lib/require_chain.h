// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "common/one/chain.h"

// What a new increment will be restored with is in its store: an Error that says broken_chain, and
// names the first that is not `there`.  `place`: "'/backups/12' on 'bk1'".
void require_chain(const Chain& chain, const std::function<bool(const std::string& source)>& there,
                   const std::string& place);
