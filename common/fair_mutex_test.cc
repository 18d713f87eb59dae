// SPDX-License-Identifier: Apache-2.0
#include "common/fair_mutex.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace {

TEST(FairMutex, IsHeldByOneAtATime) {
  FairMutex mutex;
  int count = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int n = 0; n < 10'000; ++n) {
          const std::lock_guard lock{mutex};
          ++count;
        }
      });
  }
  EXPECT_EQ(count, 40'000);
}

}  // namespace
