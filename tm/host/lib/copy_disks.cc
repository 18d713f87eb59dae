// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/copy_disks.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "common/error.h"
#include "common/file.h"
#include "common/one/progress.h"
#include "common/one/sums_file.h"
#include "common/sums.h"
#include "common/writeback.h"

namespace fs = std::filesystem;

namespace host {
namespace {

std::string gib(std::uint64_t bytes) {
  const auto tenths = bytes * 10 / (std::uint64_t{1} << 30);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GiB";
}

void check_space(const fs::path& dir, std::uint64_t needed) {
  const std::uint64_t free = free_bytes(dir);
  if (needed > free)
    throw Error{"'" + dir.string() + "' has " + gib(free) + " free, the backup needs " +
                gib(needed)};
}

// The copies that run side by side, and what they share.
class Copies {
 public:
  Copies(const std::vector<CopyDisk>& disks, const std::vector<qcow2::Plan>& plans,
         const Reading& reading, std::uint64_t total)
      : disks_{disks},
        plans_{plans},
        reading_{reading},
        done_(disks.size()),
        progress_{"capture", total} {}

  void run(const std::function<void()>& still_well) {
    std::vector<std::jthread> threads;
    running_ = static_cast<size_t>(reading_.parallel);
    for (int i = 0; i < reading_.parallel; ++i) threads.emplace_back([this] { one_by_one(); });
    try {
      while (!ended_within(std::chrono::milliseconds{200})) still_well();
    } catch (...) {
      fail(std::current_exception());
    }
    threads.clear();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  bool ended_within(std::chrono::milliseconds limit) {
    std::unique_lock lock{mutex_};
    return ended_.wait_for(lock, limit, [this] { return running_ == 0; });
  }

  void fail(std::exception_ptr error) {
    const std::lock_guard lock{mutex_};
    if (!error_) error_ = std::move(error);
    stop_ = true;
  }

  void one_by_one() noexcept {
    try {
      for (size_t i = next_++; i < disks_.size() && !stop_; i = next_++) copy(i);
    } catch (...) {
      fail(std::current_exception());
    }
    const std::lock_guard lock{mutex_};
    --running_;
    ended_.notify_all();
  }

  void copy(size_t i) {
    const CopyDisk& disk = disks_[i];
    const std::string doing = "write '" + disk.target.string() + "'";
    const Fd file = open_file(disk.target, O_WRONLY | O_CREAT | O_EXCL);
    nbd::ReadOptions options;
    options.connections = reading_.connections_of(disk.deep);
    options.in_flight = reading_.requests_of(disk.deep);
    options.deadline = reading_.deadline;
    options.limiter = reading_.limiter;
    options.stop = &stop_;
    options.progress = [this, i](std::uint64_t done) { advance(i, done); };
    sums::Writer sums;
    Writeback writeback{file.get()};
    std::uint64_t written = 0;
    const auto sink = [&](std::span<const std::byte> bytes) {
      sums.add(bytes);
      write_all(file.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, doing);
      writeback.reached(written += bytes.size());
    };
    nbd::copy(disk.source, plans_[i], sink, options);
    if (fsync(file.get()) != 0) throw system_error(doing, errno);
    write_file(disk.target.parent_path() / sums_file(disk.target.filename().string()),
               sums.finish());
  }

  void advance(size_t i, std::uint64_t done) {
    const std::lock_guard lock{mutex_};
    done_[i] = done;
    std::uint64_t sum = 0;
    for (const auto bytes : done_) sum += bytes;
    progress_.at(sum);
  }

  const std::vector<CopyDisk>& disks_;
  const std::vector<qcow2::Plan>& plans_;
  const Reading& reading_;
  std::vector<std::uint64_t> done_;
  Progress progress_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::atomic<size_t> next_ = 0;
  size_t running_ = 0;  // threads
  std::exception_ptr error_;
  std::atomic<bool> stop_ = false;
};

nbd::Map map_of(CopyDisk& disk) {
  if (disk.map) return *std::exchange(disk.map, {});
  auto map = nbd::map(disk.source, disk.base);
  disk.lost = disk.source.bitmap && nbd::was_smaller(disk.before, map);
  if (disk.lost) {
    disk.source.bitmap.reset();
    map = nbd::map(disk.source, disk.base);
  }
  disk.data = map.data;
  return map;
}

}  // namespace

std::uint64_t free_bytes(const fs::path& dir) {
  struct statvfs info {};
  if (statvfs(dir.c_str(), &info) != 0)
    throw system_error("look for free space in '" + dir.string() + "'", errno);
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

std::vector<qcow2::Plan> plan_disks(std::vector<CopyDisk>& disks) {
  std::vector<qcow2::Plan> plans;
  plans.reserve(disks.size());
  for (auto& disk : disks) {
    const nbd::Map map = map_of(disk);
    const auto& plan = plans.emplace_back(disk.exact ? qcow2::Plan::of_exact(map.size, map.extents)
                                                     : qcow2::Plan{map.size, map.extents});
    disk.virtual_size = map.size;
    disk.dirty_bytes = map.dirty_bytes;
    disk.file_size = plan.file_size();
    disk.data_bytes = plan.data_bytes();
  }
  return plans;
}

void copy_disks(const std::vector<CopyDisk>& disks, const std::vector<qcow2::Plan>& plans,
                const Reading& reading, const std::function<void()>& still_well) {
  std::uint64_t files = 0, data = 0;
  for (const auto& disk : disks) {
    files += disk.file_size + sums::size(disk.file_size);
    data += disk.data_bytes;
  }
  check_space(disks.front().target.parent_path(), files);
  Copies{disks, plans, reading, data}.run(still_well);
  for (const auto& disk : disks)
    if (fs::file_size(disk.target) != disk.file_size)
      throw Error{"'" + disk.target.string() + "' has another size than planned"};
  sync_directory(disks.front().target.parent_path());
}

}  // namespace host
