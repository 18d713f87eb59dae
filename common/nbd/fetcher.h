// SPDX-License-Identifier: Apache-2.0
// Blocks of a planned file, fetched over one connection by one thread, several at a time: private
// to common/nbd.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "common/nbd/connection.h"
#include "common/nbd/export.h"
#include "common/qcow2/plan.h"

namespace nbd {

class Fetcher {
 public:
  struct Block {
    std::uint64_t number;  // the caller's own
    std::span<std::byte> bytes;
  };

  // Connects when the first block is begun.
  Fetcher(const Export& source, const qcow2::Plan& plan, std::chrono::seconds deadline,
          std::shared_ptr<Limiter> limiter, Stop stop)
      : source_{source},
        plan_{plan},
        deadline_{deadline},
        limiter_{std::move(limiter)},
        stop_{stop} {}
  Fetcher(const Fetcher&) = delete;

  std::size_t in_flight() const { return jobs_.size(); }

  // The bytes of the file from `offset` on; what lies beyond the end of the disk is zero.  They are
  // there when take() has named the block.
  void begin(std::uint64_t offset, const Block& block);

  // Waits for at least one of those that were begun.  Throws Error when one cannot be had, or is
  // late, and Cancelled.
  std::vector<std::uint64_t> take();

 private:
  struct Job {
    std::uint64_t number;
    Clock::time_point until;          // when the last of its requests is late
    std::deque<Completion> requests;  // they stay where they are
    bool done() const;
  };

  void send(Job& job, std::uint64_t guest_offset, std::span<std::byte> out);
  std::vector<std::uint64_t> take_done();

  const Export& source_;
  const qcow2::Plan& plan_;
  const std::chrono::seconds deadline_;
  const std::shared_ptr<Limiter> limiter_;
  const Stop stop_;
  std::list<Job> jobs_;  // before the handle, which writes there
  Handle handle_;
};

}  // namespace nbd
