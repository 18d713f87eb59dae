// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/file_reader.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "common/error.h"
#include "common/nbd/fetcher.h"

namespace nbd {
namespace {

constexpr std::uint64_t block_size = std::uint64_t{1} << 20;
constexpr std::size_t kept = 4;

// A piece of the data area, while it is fetched and as long as somebody may want it again.
struct Block {
  explicit Block(std::size_t length)
      : size{length}, buffer{std::make_unique_for_overwrite<std::byte[]>(length)} {}
  std::span<std::byte> bytes() const { return {buffer.get(), size}; }

  const std::size_t size;
  const std::unique_ptr<std::byte[]> buffer;
  bool ready = false;
};
using BlockPtr = std::shared_ptr<Block>;

}  // namespace

class FileReader::State {
 public:
  State(Export source, qcow2::Plan plan, Options options)
      : source_{std::move(source)}, plan_{std::move(plan)}, options_{options} {
    for (int i = 0; i < options_.connections; ++i) threads_.emplace_back([this] { work(); });
  }

  ~State() {
    fail("the reader has ended");
    threads_.clear();
  }

  const qcow2::Plan& plan() const { return plan_; }

  std::size_t read(std::uint64_t offset, std::span<std::byte> out) {
    check();
    if (offset >= plan_.file_size()) return 0;
    out = out.first(std::min<std::uint64_t>(out.size(), plan_.file_size() - offset));
    const std::uint64_t data = plan_.metadata_size();
    std::size_t done = 0;
    if (offset < data) {
      done = std::min<std::uint64_t>(out.size(), data - offset);
      plan_.read_metadata(offset, out.first(done));
    }
    while (done < out.size()) done += read_block(offset + done - data, out.subspan(done));
    return out.size();
  }

  void fail(const std::string& why) {
    const std::lock_guard lock{mutex_};
    if (!failure_) failure_ = why;
    stop_ = true;
    wanted_.notify_all();
    arrived_.notify_all();
  }

 private:
  void check() {
    const std::lock_guard lock{mutex_};
    if (failure_) throw Error{*failure_};
  }

  std::uint64_t data_size() const { return plan_.file_size() - plan_.metadata_size(); }

  // `at` counts from the begin of the data area.
  std::size_t read_block(std::uint64_t at, std::span<std::byte> out) {
    const std::uint64_t number = at / block_size;
    std::unique_lock lock{mutex_};
    const BlockPtr block = want(number, Urgency::now);
    look_ahead(number);
    arrived_.wait(lock, [&] { return block->ready || failure_; });
    if (failure_) throw Error{*failure_};
    lock.unlock();  // a block that is ready does not change
    const auto there = block->bytes().subspan(at % block_size);
    const std::size_t size = std::min(out.size(), there.size());
    std::memcpy(out.data(), there.data(), size);
    return size;
  }

  enum class Urgency { now, later };

  BlockPtr want(std::uint64_t number, Urgency urgency) {
    const auto found = blocks_.find(number);
    if (found != blocks_.end()) {
      touch(number);
      return found->second;
    }
    make_room();
    const auto block =
        std::make_shared<Block>(std::min(block_size, data_size() - number * block_size));
    blocks_[number] = block;
    recent_.push_back(number);
    if (urgency == Urgency::now)
      queue_.push_front(number);
    else
      queue_.push_back(number);
    wanted_.notify_one();
    return block;
  }

  void touch(std::uint64_t number) {
    std::erase(recent_, number);
    recent_.push_back(number);
  }

  // Forgets blocks that were not asked for lately.  Who waits for one holds it himself.
  void make_room() {
    const std::size_t most = static_cast<std::size_t>(options_.ahead) + kept;
    for (auto it = recent_.begin(); blocks_.size() >= most && it != recent_.end();) {
      if (!blocks_.at(*it)->ready) {
        ++it;
        continue;
      }
      blocks_.erase(*it);
      it = recent_.erase(it);
    }
  }

  void look_ahead(std::uint64_t number) {
    const bool sequential = number == last_ || number == last_ + 1;
    last_ = number;
    if (!sequential) return;
    const std::uint64_t blocks = (data_size() + block_size - 1) / block_size;
    const std::uint64_t end = std::min(blocks, number + 1 + static_cast<unsigned>(options_.ahead));
    for (std::uint64_t next = number + 1; next < end; ++next) want(next, Urgency::later);
  }

  void work() {
    std::map<std::uint64_t, BlockPtr> begun;  // before the fetcher, which writes into them
    Fetcher fetcher{source_, plan_, options_.deadline, options_.limiter, &stop_};
    try {
      for (;;) {
        while (begun.size() < most_in_flight()) {
          const auto job = next(begun.empty() ? Patience::wait : Patience::none);
          if (!job) break;
          const auto& [number, block] = *job;
          begun.insert(*job);
          fetcher.begin(plan_.metadata_size() + number * block_size, {number, block->bytes()});
        }
        if (begun.empty()) return;
        const auto fetched = fetcher.take();
        const std::lock_guard lock{mutex_};
        for (const auto number : fetched) {
          begun.at(number)->ready = true;
          begun.erase(number);
        }
        arrived_.notify_all();
      }
    } catch (const std::exception& e) {
      fail(e.what());
    }
  }

  std::size_t most_in_flight() const { return static_cast<std::size_t>(options_.in_flight); }

  // nullopt: a failure, or without patience nothing that is wanted now.
  enum class Patience { wait, none };
  std::optional<std::pair<std::uint64_t, BlockPtr>> next(Patience patience) {
    std::unique_lock lock{mutex_};
    if (patience == Patience::wait) wanted_.wait(lock, [&] { return failure_ || !queue_.empty(); });
    if (failure_ || queue_.empty()) return std::nullopt;
    const auto number = queue_.front();
    queue_.pop_front();
    return {{number, blocks_.at(number)}};  // only ready ones are forgotten
  }

  const Export source_;
  const qcow2::Plan plan_;
  const Options options_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::condition_variable wanted_, arrived_;
  std::optional<std::string> failure_;
  std::map<std::uint64_t, BlockPtr> blocks_;
  std::deque<std::uint64_t> recent_;        // numbers of blocks_, the one asked for last at the end
  std::deque<std::uint64_t> queue_;         // to be fetched
  std::uint64_t last_ = ~std::uint64_t{0};  // so block 0 is sequential
  std::vector<std::jthread> threads_;       // last: they use all of the above
};

FileReader::FileReader(Export source, qcow2::Plan plan, Options options)
    : state_{std::make_unique<State>(std::move(source), std::move(plan), options)} {}

FileReader::~FileReader() = default;

const qcow2::Plan& FileReader::plan() const { return state_->plan(); }

std::size_t FileReader::read(std::uint64_t offset, std::span<std::byte> out) {
  return state_->read(offset, out);
}

void FileReader::fail(const std::string& why) { state_->fail(why); }

}  // namespace nbd
