// SPDX-License-Identifier: Apache-2.0
#include "common/ended.h"

#include <csignal>
#include <cstring>

std::string ended(const std::string& who, int status) {
  constexpr int by_signal = 128;
  const char* name = status > by_signal ? sigabbrev_np(status - by_signal) : nullptr;
  if (name == nullptr) return who + " ended with status " + std::to_string(status);
  return who + " was killed by SIG" + name +
         (status == by_signal + SIGKILL ? ", as the kernel does where memory is short" : "");
}
