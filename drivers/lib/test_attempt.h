// SPDX-License-Identifier: Apache-2.0
// For tests: a backup that has begun.
#pragma once

#include "drivers/lib/store.h"

namespace state {

// A full one of disk 0, into datastore 100.
inline Attempt test_attempt(int vm, std::int64_t started) {
  return {.id = -1,
          .vm = vm,
          .image = {},
          .increment = 0,
          .datastore = 100,
          .mode = Mode::full,
          .disks = {0},
          .dir = "/d",
          .started = started,
          .ended = {},
          .error = {}};
}

// The next one of an image, or the first.
inline Attempt test_increment(int vm, std::int64_t started, std::optional<int> image,
                              int increment) {
  auto attempt = test_attempt(vm, started);
  attempt.mode = Mode::increment;
  attempt.image = image;
  attempt.increment = increment;
  return attempt;
}

}  // namespace state
