// SPDX-License-Identifier: Apache-2.0
// Reading a file, hashing and sending it at the same time, each at its own pace.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "common/handle.h"
#include "datastore/rsync/lib/blocks.h"

namespace rsync {

// Does tasks in the order in which they were given, in a thread of its own.  What one throws, the
// next call throws, and no other is done.  The destructor drops those that wait.
class Worker {
 public:
  explicit Worker(std::size_t most) : most_{most} {}  // so many may wait
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  void give(std::function<void()> task);
  void finish();  // waits until all are done

 private:
  void work();
  template <class Ready>
  void wait(std::unique_lock<std::mutex>& lock, Ready ready);

  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;  // the first one may be under way
  std::exception_ptr failure_;
  bool over_ = false;
  std::jthread thread_{[this] { work(); }};
};

// A part of a file: whole blocks, unless it is the last.
struct FileChunk {
  std::uint64_t offset = 0;
  std::vector<std::byte> memory;
  std::size_t size = 0;
  std::vector<BlockHash> hashes;

  std::span<const std::byte> bytes() const { return std::span{memory}.first(size); }
};

// A file from its begin to its end, read and hashed by a thread ahead of whoever wants it.
class ReadAhead {
 public:
  // The file has `size` bytes.  Throws Error if it cannot be opened.
  ReadAhead(const std::filesystem::path& path, std::uint64_t size);
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  ~ReadAhead();

  // The next part; nullptr: that was all.  Throws Error for what cannot be read, also if the file
  // is not as long as it was said to be; Cancelled.
  std::shared_ptr<const FileChunk> next();

 private:
  struct Pool;

  void read();
  std::shared_ptr<FileChunk> read_chunk(std::uint64_t offset);
  void require_end() const;

  const std::filesystem::path path_;
  const std::uint64_t size_;
  const std::uint32_t block_size_;
  Fd fd_;
  std::shared_ptr<Pool> pool_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<const FileChunk>> ready_;
  std::exception_ptr failure_;
  bool over_ = false;  // nobody wants more
  bool done_ = false;
  std::jthread thread_;
};

}  // namespace rsync
