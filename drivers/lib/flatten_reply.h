// SPDX-License-Identifier: Apache-2.0
// What a datastore driver says after it has merged increments (contract 4.9).
#pragma once

#include <cstdint>
#include <string>

#include "common/one/chain.h"
#include "drivers/lib/records.h"

namespace state {

struct FlattenReply {
  std::int64_t size_mib = 0;  // of the merged one
  Chain chain;                // that is left
};

// The answer is about this image, of which `keep` increments were to stay, or it is an Error.
FlattenReply parse_flatten_reply(std::string text, const ImageRecord& image, int keep);

}  // namespace state
