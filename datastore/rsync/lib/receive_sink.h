// SPDX-License-Identifier: Apache-2.0
// A file as it is received: hashed and written at the same time, while the next bytes come in.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/sums.h"
#include "datastore/rsync/lib/sparse_writer.h"

namespace rsync {

// Bytes of a file, or so many zeros.
struct Chunk {
  std::vector<std::byte> bytes = {};
  std::uint64_t zeros = 0;
  std::uint64_t size() const { return zeros + bytes.size(); }
};

class ReceiveSink {
 public:
  struct Target {
    int fd = -1;
    std::string name;        // for messages
    std::uint64_t from = 0;  // what comes first belongs here
    std::uint64_t size = 0;  // of all of it, at most
    bool sparse = true;      // zeros are left out
  };
  // `hash` has seen what is before.
  ReceiveSink(Target target, sums::Hash hash);
  ReceiveSink(const ReceiveSink&) = delete;
  ReceiveSink& operator=(const ReceiveSink&) = delete;
  ~ReceiveSink();  // what is not written yet may get lost

  // An empty one, perhaps with memory of its own.  Waits while too much is under way.
  std::vector<std::byte> buffer();
  // The next bytes.  Throws Error, Full, also for what came before.
  void add(std::vector<std::byte> bytes);
  void add_zeros(std::uint64_t length);
  std::uint64_t size() const { return size_; }  // of the file so far

  // All is written, the file has its size, and this SHA-256.
  sums::Sum finish();

 private:
  using Shared = std::shared_ptr<const Chunk>;
  using Queue = std::deque<Shared>;

  void grow(std::uint64_t length);
  void push(Chunk chunk);
  void recycle(Chunk* chunk);
  template <class Work>
  void work(Queue& queue, Work each) noexcept;
  void write(const Chunk& chunk);
  void end();

  const Target target_;
  sums::Hash hash_;
  std::uint64_t size_;
  SparseWriter writer_;

  std::mutex mutex_;
  std::condition_variable moved_;
  Queue to_hash_, to_write_;
  std::vector<std::vector<std::byte>> spare_;
  std::size_t under_way_ = 0;  // buffers
  bool over_ = false;
  std::exception_ptr failure_;
  std::jthread hash_thread_, write_thread_;
};

}  // namespace rsync
