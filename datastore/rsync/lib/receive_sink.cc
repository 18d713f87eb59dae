// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/receive_sink.h"

#include <algorithm>
#include <utility>

#include "common/error.h"

namespace rsync {
namespace {

constexpr std::size_t most_under_way = 16;  // chunks: of a frame's size at most
constexpr std::uint64_t zeros_at_once = std::uint64_t{256} << 20;
}  // namespace

ReceiveSink::ReceiveSink(Target target, sums::Hash hash)
    : target_{std::move(target)},
      hash_{std::move(hash)},
      size_{target_.from},
      writer_{target_.fd, target_.name, target_.from,
              target_.sparse ? Zeros::left_out : Zeros::written} {
  hash_thread_ = std::jthread{[this] {
    work(to_hash_, [this](const Chunk& chunk) {
      if (!chunk.bytes.empty()) hash_.add(chunk.bytes);
      in_zeros(chunk.zeros, [this](auto part) { hash_.add(part); });
    });
  }};
  write_thread_ =
      std::jthread{[this] { work(to_write_, [this](const Chunk& chunk) { write(chunk); }); }};
}

ReceiveSink::~ReceiveSink() { end(); }

void ReceiveSink::end() {
  {
    const std::lock_guard lock{mutex_};
    over_ = true;
  }
  moved_.notify_all();
  if (hash_thread_.joinable()) hash_thread_.join();
  if (write_thread_.joinable()) write_thread_.join();
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
  writer_.finish();
  return hash_.finish();
}

void ReceiveSink::write(const Chunk& chunk) {
  if (!chunk.bytes.empty()) writer_.add(chunk.bytes);
  writer_.add_zeros(chunk.zeros);
}

}  // namespace rsync
