// SPDX-License-Identifier: Apache-2.0
// A mutex that its waiters get in the order in which they came.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

// For what is locked and unlocked again at once by whoever has more to do: with std::mutex the
// others might never get it.
class FairMutex {
 public:
  void lock() {
    std::unique_lock inner{inner_};
    const auto mine = next_++;
    changed_.wait(inner, [&] { return mine == served_; });
  }
  void unlock() {
    {
      const std::lock_guard inner{inner_};
      ++served_;
    }
    changed_.notify_all();
  }

 private:
  std::mutex inner_;
  std::condition_variable changed_;
  std::uint64_t next_ = 0, served_ = 0;
};
