// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/heap.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace vmvaultd {
namespace {

TEST(Heap, HasTheSmallestOnTopWhateverIsPutMovedAndTaken) {
  std::mt19937 random{1};
  Timers<int> heap;
  std::map<int, int> keys;
  for (int step = 0; step < 20'000; ++step) {
    const int number = static_cast<int>(random() % 60);
    if (random() % 3 == 0) {
      heap.erase(number);
      keys.erase(number);
    } else {
      keys[number] = static_cast<int>(random() % 1000);
      heap.put(number, keys[number]);
    }
    ASSERT_EQ(heap.size(), keys.size());
    if (keys.empty()) continue;
    int least = keys.begin()->second;
    for (const auto& [which, key] : keys) least = std::min(least, key);
    ASSERT_EQ(heap.top_key(), least);
    ASSERT_EQ(keys.at(heap.top()), least);
  }
}

}  // namespace
}  // namespace vmvaultd
