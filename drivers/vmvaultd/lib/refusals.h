// SPDX-License-Identifier: Apache-2.0
// Why an order is not carried out.  Each is a BadRequest, and then nothing has changed; what is
// only a BadRequest is about a value that cannot be.  Any other Error is trouble of our own.
#pragma once

#include <string>

#include "common/error.h"

namespace vmvaultd {

struct NoSuchObject : BadRequest {
  NoSuchObject(const std::string& kind, int id)
      : BadRequest{"there is no " + kind + " " + std::to_string(id)} {}
};

// It is there, but not so that this can be done with it now.
struct WrongState : BadRequest {
  using BadRequest::BadRequest;
};

}  // namespace vmvaultd
