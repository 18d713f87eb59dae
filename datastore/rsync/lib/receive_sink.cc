// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/receive_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/error.h"
#include "datastore/rsync/lib/server_dir.h"

namespace rsync {
namespace {

constexpr std::size_t most_under_way = 16;  // chunks: of a frame's size at most
constexpr std::uint64_t zeros_at_once = std::uint64_t{256} << 20;
constexpr std::size_t block = 4096;  // what a file system can leave out
// The disk is kept busy from the start, so that not all is left to the last fsync, and no more than
// a part of the memory is filled with what it has not taken yet.
constexpr std::uint64_t writeback_step = std::uint64_t{16} << 20;
constexpr std::uint64_t most_dirty = std::uint64_t{256} << 20;

bool all_zero(std::span<const std::byte> bytes) {
  return bytes[0] == std::byte{0} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

std::span<const std::byte> zeros() {
  static const std::vector<std::byte> block_of_zeros(std::size_t{1} << 20);
  return block_of_zeros;
}

template <class Each>
void in_pieces(std::uint64_t length, Each each) {
  while (length != 0) {
    const auto part = zeros().first(std::min<std::uint64_t>(length, zeros().size()));
    each(part);
    length -= part.size();
  }
}

}  // namespace

ReceiveSink::ReceiveSink(Target target, sums::Hash hash)
    : target_{std::move(target)},
      hash_{std::move(hash)},
      size_{target_.from},
      written_{target_.from},
      flushed_{target_.from} {
  hasher_ = std::jthread{[this] {
    work(to_hash_, [this](const Chunk& chunk) {
      if (!chunk.bytes.empty()) hash_.add(chunk.bytes);
      in_pieces(chunk.zeros, [this](auto part) { hash_.add(part); });
    });
  }};
  writer_ = std::jthread{[this] { work(to_write_, [this](const Chunk& chunk) { write(chunk); }); }};
}

ReceiveSink::~ReceiveSink() { end(); }

void ReceiveSink::end() {
  {
    const std::lock_guard lock{mutex_};
    over_ = true;
  }
  moved_.notify_all();
  if (hasher_.joinable()) hasher_.join();
  if (writer_.joinable()) writer_.join();
}

template <class Work>
void ReceiveSink::work(Queue& queue, Work each) noexcept {
  std::unique_lock lock{mutex_};
  for (;;) {
    moved_.wait(lock, [&] { return over_ || !queue.empty(); });
    if (queue.empty()) return;
    auto chunk = std::move(queue.front());
    queue.pop_front();
    const bool failed = failure_ != nullptr;
    lock.unlock();
    std::exception_ptr failure;
    try {
      if (!failed) each(*chunk);
    } catch (...) {
      failure = std::current_exception();
    }
    chunk.reset();
    lock.lock();
    if (failure && !failure_) failure_ = failure;
    moved_.notify_all();
  }
}

// The last of both threads gives the memory back.
void ReceiveSink::recycle(Chunk* chunk) {
  const std::unique_ptr<Chunk> own{chunk};
  {
    const std::lock_guard lock{mutex_};
    --under_way_;
    if (!own->bytes.empty()) spare_.push_back(std::move(own->bytes));
  }
  moved_.notify_all();
}

std::vector<std::byte> ReceiveSink::buffer() {
  const std::lock_guard lock{mutex_};
  if (spare_.empty()) return {};
  auto bytes = std::move(spare_.back());
  spare_.pop_back();
  return bytes;
}

void ReceiveSink::push(Chunk chunk) {
  {
    std::unique_lock lock{mutex_};
    moved_.wait(lock, [&] { return failure_ || under_way_ < most_under_way; });
    if (failure_) std::rethrow_exception(failure_);
    const Shared shared{new Chunk{std::move(chunk)}, [this](Chunk* it) { recycle(it); }};
    ++under_way_;
    to_hash_.push_back(shared);
    to_write_.push_back(shared);
  }
  moved_.notify_all();
}

void ReceiveSink::grow(std::uint64_t length) {
  if (length > target_.size - std::min(size_, target_.size))
    throw Error{"more comes of '" + target_.name + "' than was said"};
  size_ += length;
}

void ReceiveSink::add(std::vector<std::byte> bytes) {
  grow(bytes.size());
  if (!bytes.empty()) push({.bytes = std::move(bytes)});
}

void ReceiveSink::add_zeros(std::uint64_t length) {
  grow(length);
  while (length != 0) {
    const auto part = std::min(length, zeros_at_once);
    push({.zeros = part});
    length -= part;
  }
}

sums::Sum ReceiveSink::finish() {
  end();
  if (failure_) std::rethrow_exception(failure_);
  if (ftruncate(target_.fd, static_cast<off_t>(size_)) != 0)
    throw_write_error("write '" + target_.name + "'", errno);
  return hash_.finish();
}

void ReceiveSink::write(const Chunk& chunk) {
  if (chunk.zeros != 0 && !target_.sparse) {
    auto at = written_;
    in_pieces(chunk.zeros, [&](auto part) {
      write_range(at, part);
      at += part.size();
    });
  }
  const std::span<const std::byte> bytes{chunk.bytes};
  // A run of what is not zero; blocks are those of the file.
  std::size_t begin = 0;
  for (std::size_t at = 0; target_.sparse && at < bytes.size();) {
    const std::size_t length = std::min(bytes.size() - at, block - (written_ + at) % block);
    if (all_zero(bytes.subspan(at, length))) {
      write_range(written_ + begin, bytes.subspan(begin, at - begin));
      begin = at + length;
    }
    at += length;
  }
  write_range(written_ + begin, bytes.subspan(begin));
  written_ += chunk.size();
  start_writeback();
}

void ReceiveSink::write_range(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(target_.fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n == -1 && errno == EINTR) continue;
    if (n <= 0) throw_write_error("write '" + target_.name + "'", n == 0 ? EIO : errno);
    offset += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

// Only a hint: what it cannot do, the last fsync does, and says what went wrong.
void ReceiveSink::start_writeback() {
  while (written_ - flushed_ >= writeback_step) {
    sync_file_range(target_.fd, static_cast<off_t>(flushed_), writeback_step,
                    SYNC_FILE_RANGE_WRITE);
    if (flushed_ >= target_.from + most_dirty)
      sync_file_range(target_.fd, static_cast<off_t>(flushed_ - most_dirty), writeback_step,
                      SYNC_FILE_RANGE_WAIT_BEFORE);
    flushed_ += writeback_step;
  }
}

}  // namespace rsync
