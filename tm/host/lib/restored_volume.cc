// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/restored_volume.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"
#include "tm/host/lib/block_sum.h"
#include "tm/host/lib/incoming.h"
#include "tm/host/lib/lvm_snapshots.h"

namespace fs = std::filesystem;

namespace host {
namespace {

constexpr const char* whole = "vmvault_whole";  // a tag of what has come and was read back
constexpr std::size_t at_once = std::size_t{4} << 20;
constexpr std::size_t piece = std::size_t{64} << 10;  // zeros as long as this are left out

lvm::Access access() { return lvm_access(Shielded::no); }

struct Free {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// The new volume, past the cache: what is read back is what is there.
class Device {
 public:
  explicit Device(const lvm::Volume& volume)
      : name_{volume.display()},
        fd_{open_file(volume.device(), O_RDWR | O_DIRECT | O_EXCL)},
        buffer_{static_cast<std::byte*>(std::aligned_alloc(piece, at_once))} {
    if (!buffer_) throw std::bad_alloc{};
  }

  std::span<std::byte> buffer() { return {buffer_.get(), at_once}; }

  // Of the buffer; whole sectors.
  void write(std::uint64_t offset, std::size_t from, std::size_t length) {
    cancel::check();
    while (length > 0) {
      const ssize_t n =
          pwrite(fd_.get(), buffer_.get() + from, length, static_cast<off_t>(offset + from));
      if (n == -1 && errno == EINTR) continue;
      if (n <= 0) throw system_error("write to the volume " + name_, n == 0 ? EIO : errno);
      from += static_cast<std::size_t>(n);
      length -= static_cast<std::size_t>(n);
    }
  }

  void read(std::uint64_t offset, std::size_t length) {
    cancel::check();
    for (std::size_t done = 0; done < length;) {
      const ssize_t n =
          pread(fd_.get(), buffer_.get() + done, length - done, static_cast<off_t>(offset + done));
      if (n == -1 && errno == EINTR) continue;
      if (n <= 0) throw system_error("read the volume " + name_, n == 0 ? EIO : errno);
      done += static_cast<std::size_t>(n);
    }
  }

  // A volume that is not thin has whatever was on its disk before.
  void zero() {
    std::uint64_t size = 0;  // LVM's sizes are whole extents
    if (ioctl(fd_.get(), BLKGETSIZE64, &size) != 0)
      throw system_error("ask for the size of " + name_, errno);
    for (std::uint64_t at = 0; at < size; at += std::uint64_t{1} << 30) {
      cancel::check();
      std::uint64_t range[] = {at, std::min(std::uint64_t{1} << 30, size - at)};
      if (ioctl(fd_.get(), BLKZEROOUT, range) != 0)
        throw system_error("clear the volume " + name_, errno);
    }
  }

  void sync() {
    if (fsync(fd_.get()) != 0) throw system_error("write to the volume " + name_, errno);
  }

 private:
  const std::string name_;
  const Fd fd_;
  const std::unique_ptr<std::byte, Free> buffer_;
};

// Those of the buffer's pieces that are not zero.
void write_data(Device& device, std::uint64_t offset, std::size_t length) {
  const auto bytes = device.buffer().first(length);
  for (std::size_t at = 0; at < length;) {
    std::size_t end = at;
    while (end < length && !is_zero(bytes.subspan(end, std::min(piece, length - end))))
      end = std::min(end + piece, length);
    if (end > at) device.write(offset, at, end - at);
    at = std::min(end + piece, length);
  }
}

sums::Sum fill(Device& device, const qcow2::Layer& disk) {
  BlockSum sum;
  for (const auto& extent : disk.extents) {
    if (extent.content != qcow2::Content::data) continue;
    for (std::uint64_t at = extent.offset; at < extent.end();) {
      const auto length =
          static_cast<std::size_t>(std::min(at_once - at % at_once, extent.end() - at));
      const auto bytes = device.buffer().first(length);
      disk.read(at, bytes);
      sum.add(at, bytes);
      write_data(device, at, length);
      at += length;
    }
  }
  if (disk.finish) disk.finish();
  device.sync();
  return sum.finish();
}

sums::Sum sum_of(Device& device, std::uint64_t size) {
  BlockSum sum;
  for (std::uint64_t at = 0; at < size; at += at_once) {
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(at_once, size - at));
    device.read(at, length);
    sum.add(at, device.buffer().first(length));
  }
  return sum.finish();
}

}  // namespace

void receive_volume(const ExchangePlace& place, int fd, const fs::path& directory) {
  const auto volume = volume_of(place, Which::fresh);
  const auto disk = open_incoming(fd, directory);
  if (disk.virtual_size == 0 || disk.virtual_size % 512 != 0)
    throw Error{"the disk that is restored has no size that a volume can have"};
  std::string pool = place.pool;
  {
    const GroupLocks locks{{volume.group}};
    const auto all = lvm::volumes(volume.group, access());
    // As it is, whatever the core has been told.
    if (const auto* old = lvm::find(all, place.volume->name)) pool = old->pool;
    if (!pool.empty()) lvm::make_room(volume.beside(pool), all, disk.virtual_size, access());
    lvm::create(volume, pool, disk.virtual_size, access());
  }
  Device device{volume};
  if (pool.empty()) device.zero();
  const auto written = fill(device, disk);
  if (sum_of(device, disk.virtual_size) != written)
    throw Error{"the volume " + volume.display() + " does not hold what was written to it"};
  lvm::add_tag(volume, whole, access());
}

bool is_open_volume(const lvm::Volume& volume) {
  const auto all = lvm::volumes(volume.group, access());
  const auto* info = lvm::find(all, volume.name);
  return info && info->open;
}

bool complete_volume(const ExchangePlace& place) {
  const auto volume = volume_of(place, Which::fresh);
  const auto all = lvm::volumes(volume.group, access());
  const auto* info = lvm::find(all, volume.name);
  if (!info || std::find(info->tags.begin(), info->tags.end(), whole) == info->tags.end())
    return false;
  lvm::remove_tag(volume, whole, access());
  return true;
}

}  // namespace host
