// SPDX-License-Identifier: Apache-2.0
// vmvault.json, as records hold it.
#pragma once

#include "common/one/capture_result.h"

namespace state {

using ::CaptureResult;
using ::DiskResult;
using ::DocumentResult;
using ::parse_result;

}  // namespace state
