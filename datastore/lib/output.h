// SPDX-License-Identifier: Apache-2.0
// Large amounts of bytes on their way to our stdout.
#pragma once

#include <cstddef>
#include <span>

#include "common/handle.h"

// Writes to stdout so that a cancellation is seen even while the reader takes nothing.
class Output {
 public:
  Output();
  void write(std::span<const std::byte> bytes);  // all of it; throws Error, Cancelled

 private:
  Fd own_;  // stdout again, if it is a pipe: not blocking, which stays between us and the pipe
};
