// SPDX-License-Identifier: Apache-2.0
#include "common/random.h"

#include <sys/random.h>

#include <cerrno>

#include "common/error.h"

std::string random_hex(int digits) {
  std::string text;
  while (static_cast<int>(text.size()) < digits) {
    unsigned char byte = 0;
    if (getrandom(&byte, 1, 0) != 1) throw system_error("get random bytes", errno);
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}
