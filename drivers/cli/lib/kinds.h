// SPDX-License-Identifier: Apache-2.0
// The kinds of objects, by the names that commands, XML and the service have for them.
#pragma once

#include <string>
#include <vector>

#include "common/one/rpc.h"
#include "drivers/cli/lib/listing.h"

namespace cli {

enum class Kind { vm, image, datastore, host, job, user };

struct KindInfo {
  const char* word;     // of the command: "image"
  const char* element;  // IMAGE
  const char* pool;     // IMAGE_POOL
  const char* info;     // one.image.info
  const char* pool_info;
  RpcArguments pool_arguments;
  std::vector<Column> columns;  // of its list
};

const KindInfo& info(Kind kind);

}  // namespace cli
