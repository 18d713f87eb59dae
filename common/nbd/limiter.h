// SPDX-License-Identifier: Apache-2.0
// How fast the disks of one backup may be read, all of them together.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>

namespace nbd {

class Limiter {
 public:
  using Clock = std::chrono::steady_clock;

  struct Rates {  // 0: no limit
    std::uint64_t bytes_per_second = 0;
    std::uint64_t requests_per_second = 0;
  };

  explicit Limiter(Rates rates) : rates_{rates} {}

  // The moment from which on the next request, of so many bytes, may be sent; it is counted as sent
  // then.  Any thread may ask; each gets the moment after those who asked before.  Who has not
  // asked for a while finds a quarter of a second's worth saved up, and no more.
  Clock::time_point admit(std::uint64_t bytes, Clock::time_point now = Clock::now());

 private:
  const Rates rates_;
  std::mutex mutex_;
  Clock::time_point next_{};
};

// Bytes a second as people write them: "5000000", "500K", "5M" or "5MB", "1G", in powers of 1024.
// nullopt: it is no such thing.
std::optional<std::uint64_t> parse_rate(std::string_view text);

}  // namespace nbd
