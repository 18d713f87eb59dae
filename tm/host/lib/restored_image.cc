// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/restored_image.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <vector>

#include "common/cancel.h"
#include "common/child.h"
#include "common/error.h"
#include "common/file.h"
#include "common/qcow2/disk_file.h"
#include "common/rbd/diff.h"
#include "common/rbd/manage.h"
#include "tm/host/lib/block_sum.h"
#include "tm/host/lib/incoming.h"
#include "tm/host/lib/rbd_snapshots.h"

namespace fs = std::filesystem;

namespace host {
namespace {

constexpr const char* whole = "vmvault_whole";  // a snapshot of what has come and was read back
constexpr std::uint64_t at_once = std::uint64_t{4} << 20;  // objects are as large, mostly
constexpr std::uint64_t piece = std::uint64_t{64} << 10;   // zeros as long as this are left out

rbd::Access access() { return ceph_access(Shielded::no); }

// Whoever writes to rbd, or reads from it, sees it go before it has said why.
class RbdGone : public Error {
 public:
  using Error::Error;
};

void pass_on(int fd, std::span<const std::byte> bytes) try {
  write_all(fd, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "write to rbd");
} catch (const Cancelled&) {
  throw;
} catch (const Error& e) {
  throw RbdGone{e.what()};
}

class FdInput : public rbd::DiffInput {
 public:
  explicit FdInput(int fd) : fd_{fd}, skipped_(piece) {}
  void read(std::span<std::byte> out) override {
    while (!out.empty()) {
      const auto n = fill(out);
      if (n == 0) throw RbdGone{"what rbd reads ends early"};
      out = out.subspan(n);
    }
  }
  void skip(std::uint64_t length) override {
    for (; length > 0; length -= std::min<std::uint64_t>(length, piece))
      read(std::span{skipped_}.first(std::min<std::uint64_t>(length, piece)));
  }
  std::uint64_t position() const override { return at_; }
  bool at_end() override { return fill(std::span{skipped_}.first(1)) == 0; }

 private:
  std::size_t fill(std::span<std::byte> out) {
    const auto n = read_some(fd_, out);
    at_ += n;
    return n;
  }
  int fd_;
  std::uint64_t at_ = 0;
  std::vector<std::byte> skipped_;
};

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// Those of its pieces that are not zero.
void write_data(rbd::DiffWriter& out, std::uint64_t offset, std::span<const std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t end = at;
    while (end < bytes.size() &&
           !is_zero(bytes.subspan(end).first(std::min(piece, bytes.size() - end))))
      end = std::min<std::size_t>(end + piece, bytes.size());
    if (end > at) out.data(offset + at, bytes.subspan(at, end - at));
    at = std::min<std::size_t>(end + piece, bytes.size());
  }
}

sums::Sum send(const qcow2::Layer& disk, int fd) {
  BlockSum sum;
  rbd::DiffWriter out{[fd](auto bytes) { pass_on(fd, bytes); }, disk.virtual_size};
  std::vector<std::byte> buffer(at_once);
  for (const auto& extent : disk.extents) {
    if (extent.content != qcow2::Content::data) continue;
    for (std::uint64_t at = extent.offset; at < extent.end();) {
      const auto n = std::min(at_once - at % at_once, extent.end() - at);
      const auto bytes = std::span{buffer}.first(n);
      disk.read(at, bytes);
      sum.add(at, bytes);
      write_data(out, at, bytes);
      at += n;
    }
  }
  if (disk.finish) disk.finish();
  out.finish();
  return sum.finish();
}

// What is done here while rbd does its part; then the first error.
template <class Here>
sums::Sum beside(std::future<void> rbd, const Here& here) {
  try {
    const auto result = here();
    rbd.get();
    return result;
  } catch (const RbdGone&) {
    rbd.get();
    throw;
  }
}

sums::Sum write_image(const rbd::Image& image, const qcow2::Layer& disk) {
  Pipe pipe;
  auto rbd = std::async(std::launch::async, [&] {
    const Fd in = std::move(pipe.read);  // rbd's end is that of the pipe
    rbd::import_diff(image, in.get(), access());
  });
  return beside(std::move(rbd), [&] {
    const Fd out = std::move(pipe.write);  // its end, however that comes, is the end of the diff
    return send(disk, out.get());
  });
}

sums::Sum sum_of(const rbd::Image& image, std::uint64_t size) {
  Pipe pipe;
  auto rbd = std::async(std::launch::async, [&] {
    const Fd out = std::move(pipe.write);
    rbd::export_diff(image, out.get(), access());
  });
  return beside(std::move(rbd), [&] {
    const Fd in = std::move(pipe.read);
    FdInput input{in.get()};
    rbd::DiffReader reader{input, image.display()};
    BlockSum sum;
    std::vector<std::byte> buffer(at_once);
    while (const auto diff = reader.next_diff()) {
      if (diff->size != size) throw Error{image.display() + " has another size than it was given"};
      while (const auto change = reader.next_change())
        for (std::uint64_t at = change->extent.offset;
             change->extent.content == qcow2::Content::data && at < change->extent.end();) {
          const auto bytes = std::span{buffer}.first(std::min(at_once, change->extent.end() - at));
          reader.read(bytes);
          sum.add(at, bytes);
          at += bytes.size();
        }
    }
    return sum.finish();
  });
}

}  // namespace

void receive_image(const ExchangePlace& place, int fd, const fs::path& directory) {
  const auto image = image_of(place, Which::fresh);
  const auto disk = open_incoming(fd, directory);
  rbd::create(image, disk.virtual_size, rbd::info(*place.image, access()), access());
  const auto written = write_image(image, disk);
  if (sum_of(image, disk.virtual_size) != written)
    throw Error{"the Ceph image " + image.display() + " does not hold what was written to it"};
  rbd::create_snapshot(image, whole, access());
}

bool complete_image(const ExchangePlace& place) {
  const auto image = image_of(place, Which::fresh);
  if (!rbd::info(image, access())) return false;
  const auto all = rbd::snapshots(image, access());
  const auto found =
      std::any_of(all.begin(), all.end(), [](const auto& one) { return one.name == whole; });
  if (found) rbd::remove_snapshot(image, whole, access());
  return found;
}

}  // namespace host
