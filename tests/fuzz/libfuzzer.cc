// SPDX-License-Identifier: Apache-2.0
// The entry of libFuzzer; FUZZ_TARGET names the target.

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const char* const name = std::getenv("FUZZ_TARGET");
  fuzz::run(name ? name : "", {reinterpret_cast<const char*>(data), size});
  return 0;
}
