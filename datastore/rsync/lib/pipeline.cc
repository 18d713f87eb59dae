// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/pipeline.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"

namespace rsync {
namespace {

constexpr std::size_t chunk_size = std::size_t{2} << 20;
constexpr std::size_t ahead = 4;  // chunks
// How soon a waiting thread sees a cancellation.
constexpr std::chrono::milliseconds often{100};

}  // namespace

Worker::~Worker() {
  const std::lock_guard lock{mutex_};
  over_ = true;
  changed_.notify_all();
}

template <class Ready>
void Worker::wait(std::unique_lock<std::mutex>& lock, Ready ready) {
  while (!failure_ && !ready()) {
    changed_.wait_for(lock, often);
    cancel::check();
  }
  if (failure_) std::rethrow_exception(failure_);
}

void Worker::give(std::function<void()> task) {
  std::unique_lock lock{mutex_};
  wait(lock, [&] { return tasks_.size() < most_; });
  tasks_.push_back(std::move(task));
  changed_.notify_all();
}

void Worker::finish() {
  std::unique_lock lock{mutex_};
  wait(lock, [&] { return tasks_.empty(); });
}

void Worker::work() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [&] { return over_ || (!tasks_.empty() && !failure_); });
    if (over_) return;
    const auto task = std::move(tasks_.front());
    lock.unlock();
    std::exception_ptr failure;
    try {
      task();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    failure_ = failure;
    tasks_.pop_front();
    changed_.notify_all();
  }
}

// Memory that is used again: the kernel takes long to hand out new pages.
struct ReadAhead::Pool {
  std::mutex mutex;
  std::vector<std::unique_ptr<FileChunk>> free;

  static std::shared_ptr<FileChunk> take(const std::shared_ptr<Pool>& pool) {
    std::unique_ptr<FileChunk> chunk;
    {
      const std::lock_guard lock{pool->mutex};
      if (!pool->free.empty()) {
        chunk = std::move(pool->free.back());
        pool->free.pop_back();
      }
    }
    if (!chunk) chunk = std::make_unique<FileChunk>();
    return {chunk.release(), [pool](FileChunk* used) {
              std::unique_ptr<FileChunk> owner{used};
              const std::lock_guard lock{pool->mutex};
              pool->free.push_back(std::move(owner));
            }};
  }
};

ReadAhead::ReadAhead(const std::filesystem::path& path, std::uint64_t size)
    : path_{path},
      size_{size},
      block_size_{block_size_for(size)},
      fd_{open_file(path, O_RDONLY)},
      pool_{std::make_shared<Pool>()} {
  posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  thread_ = std::jthread{[this] { read(); }};
}

ReadAhead::~ReadAhead() {
  const std::lock_guard lock{mutex_};
  over_ = true;
  changed_.notify_all();
}

std::shared_ptr<const FileChunk> ReadAhead::next() {
  std::unique_lock lock{mutex_};
  while (ready_.empty() && !done_ && !failure_) {
    changed_.wait_for(lock, often);
    cancel::check();
  }
  if (!ready_.empty()) {
    const auto chunk = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return chunk;
  }
  if (failure_) std::rethrow_exception(failure_);
  return nullptr;
}

void ReadAhead::read() try {
  for (std::uint64_t offset = 0; offset < size_;) {
    auto chunk = read_chunk(offset);
    offset += chunk->size;
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return over_ || ready_.size() < ahead; });
    if (over_) return;
    ready_.push_back(std::move(chunk));
    changed_.notify_all();
  }
  require_end();
  const std::lock_guard lock{mutex_};
  done_ = true;
  changed_.notify_all();
} catch (...) {
  const std::lock_guard lock{mutex_};
  failure_ = std::current_exception();
  changed_.notify_all();
}

std::shared_ptr<FileChunk> ReadAhead::read_chunk(std::uint64_t offset) {
  auto chunk = Pool::take(pool_);
  const auto whole = std::max<std::size_t>(chunk_size, block_size_);
  chunk->offset = offset;
  chunk->size = static_cast<std::size_t>(std::min<std::uint64_t>(whole, size_ - offset));
  if (chunk->memory.size() < chunk->size) chunk->memory.resize(chunk->size);
  for (std::size_t got = 0; got < chunk->size;) {
    const auto n = ::read(fd_.get(), chunk->memory.data() + got, chunk->size - got);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error("read '" + path_.string() + "'", errno);
    if (n == 0)
      throw Error{"'" + path_.string() + "' ends at " + std::to_string(offset + got) + " of " +
                  std::to_string(size_) + " bytes"};
    got += static_cast<std::size_t>(n);
  }
  chunk->hashes.clear();
  for (auto rest = chunk->bytes(); !rest.empty();) {
    const auto block = rest.first(std::min<std::size_t>(block_size_, rest.size()));
    chunk->hashes.push_back(hash_block(block));
    rest = rest.subspan(block.size());
  }
  return chunk;
}

// A view that fails at its end must be seen to, and what has grown is no backup.
void ReadAhead::require_end() const {
  char more;
  ssize_t n;
  while ((n = ::read(fd_.get(), &more, 1)) == -1 && errno == EINTR) {
  }
  if (n == -1) throw system_error("read '" + path_.string() + "'", errno);
  if (n != 0)
    throw Error{"'" + path_.string() + "' is longer than its " + std::to_string(size_) + " bytes"};
}

}  // namespace rsync
