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
#include "common/nbd/connection.h"

namespace nbd {
namespace {

constexpr std::uint64_t block_size = std::uint64_t{1} << 20;

// A piece of the data area, while it is fetched and as long as somebody may want it again.
struct Block {
  std::vector<std::byte> bytes;
  bool ready = false;
};
using BlockPtr = std::shared_ptr<Block>;

// One connection, used by one thread.
class Fetcher {
 public:
  Fetcher(const Export& source, const qcow2::Plan& plan, std::chrono::seconds deadline, Stop stop)
      : source_{source}, plan_{plan}, deadline_{deadline}, stop_{stop} {}

  // The bytes of the file from `offset` on; what lies beyond the end of the disk stays zero.
  void fetch(std::uint64_t offset, std::span<std::byte> out) {
    if (!handle_) handle_ = connect(source_, {}, deadline_, stop_);
    std::deque<Completion> requests;
    for (std::size_t done = 0; done < out.size();) {
      const auto place = plan_.place(offset + done);
      const auto length = std::min<std::uint64_t>(place.length, out.size() - done);
      const auto wanted = std::min(length, plan_.virtual_size() - place.guest_offset);
      requests.emplace_back();
      if (nbd_aio_pread(handle_.get(), out.data() + done, wanted, place.guest_offset,
                        requests.back().callback(), 0) < 0)
        throw Error{"cannot read " + display(source_) + ": " + nbd_get_error()};
      done += length;
    }
    wait_for(requests);
  }

 private:
  void wait_for(const std::deque<Completion>& requests) {
    const auto until = Clock::now() + deadline_;
    const auto is_done = [](const Completion& one) { return one.done; };
    while (!std::all_of(requests.begin(), requests.end(), is_done)) {
      if (Clock::now() >= until)
        throw Error{"cannot read " + display(source_) + ": no answer within " +
                    std::to_string(deadline_.count()) + " s"};
      wait({&handle_, 1}, until, stop_);
    }
    for (const auto& one : requests)
      if (one.error != 0) throw system_error("read " + display(source_), one.error);
  }

  const Export& source_;
  const qcow2::Plan& plan_;
  std::chrono::seconds deadline_;
  Stop stop_;
  Handle handle_;
};

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
    changed_.notify_all();
  }

 private:
  std::uint64_t data_size() const { return plan_.file_size() - plan_.metadata_size(); }

  // `at` counts from the begin of the data area.
  std::size_t read_block(std::uint64_t at, std::span<std::byte> out) {
    const std::uint64_t number = at / block_size;
    std::unique_lock lock{mutex_};
    const BlockPtr block = want(number, Urgency::now);
    look_ahead(number);
    changed_.wait(lock, [&] { return block->ready || failure_; });
    if (failure_) throw Error{*failure_};
    lock.unlock();  // a block that is ready does not change
    const std::size_t begin = at % block_size;
    const std::size_t size = std::min(out.size(), block->bytes.size() - begin);
    std::memcpy(out.data(), block->bytes.data() + begin, size);
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
    const auto block = std::make_shared<Block>();
    blocks_[number] = block;
    recent_.push_back(number);
    if (urgency == Urgency::now)
      queue_.push_front(number);
    else
      queue_.push_back(number);
    changed_.notify_all();
    return block;
  }

  void touch(std::uint64_t number) {
    std::erase(recent_, number);
    recent_.push_back(number);
  }

  // Forgets blocks that were not asked for lately.  Who waits for one holds it himself.
  void make_room() {
    const std::size_t most = static_cast<std::size_t>(options_.ahead) * 2 + 8;
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
    Fetcher fetcher{source_, plan_, options_.deadline, &stop_};
    try {
      while (const auto number = next()) {
        const std::uint64_t at = *number * block_size;
        std::vector<std::byte> bytes(std::min(block_size, data_size() - at));
        fetcher.fetch(plan_.metadata_size() + at, bytes);
        deliver(*number, std::move(bytes));
      }
    } catch (const std::exception& e) {
      fail(e.what());
    }
  }

  std::optional<std::uint64_t> next() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return failure_ || !queue_.empty(); });
    if (failure_) return std::nullopt;
    const auto number = queue_.front();
    queue_.pop_front();
    return number;
  }

  void deliver(std::uint64_t number, std::vector<std::byte> bytes) {
    const std::lock_guard lock{mutex_};
    const auto& block = blocks_.at(number);  // only ready ones are forgotten
    block->bytes = std::move(bytes);
    block->ready = true;
    changed_.notify_all();
  }

  const Export source_;
  const qcow2::Plan plan_;
  const Options options_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
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
