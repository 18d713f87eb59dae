// SPDX-License-Identifier: Apache-2.0
// Who has called us, and holds our stdin: lines go to him, and come back.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "tm/host/lib/guard.h"

namespace host {

class Caller {
 public:
  explicit Caller(Guard& guard) : guard_{guard} {}

  void say(std::string_view line);
  // His next line.  Throws Cancelled when he is gone, and Error when the guard has ended the
  // backup, or he says nothing for so long.
  std::string listen(std::chrono::seconds limit);

 private:
  Guard& guard_;
};

}  // namespace host
