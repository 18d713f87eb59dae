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
#include "tm/host/lib/rbd_snapshots.h"

namespace fs = std::filesystem;

namespace host {
namespace {

constexpr const char* whole = "vmvault_whole";  // a snapshot of what has come and was read back
constexpr const char* incoming = "the disk that is restored";
constexpr std::uint64_t at_once = std::uint64_t{4} << 20;  // objects are as large, mostly
constexpr std::uint64_t piece = std::uint64_t{64} << 10;   // zeros as long as this are left out

rbd::Access access() { return ceph_access(Shielded::no); }

std::size_t read_some(int fd, std::span<std::byte> out) {
  for (;;) {
    cancel::check();
    const ssize_t n = read(fd, out.data(), out.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw system_error(std::string{"read "} + incoming, errno);
  }
}

// What was read of the stream, as long as it may have to be read again.  Nobody else sees the file.
class Spool {
 public:
  explicit Spool(const fs::path& directory) {
    auto name = (directory / "restore.XXXXXX").string();
    file_.reset(mkostemp(name.data(), O_CLOEXEC));
    if (!file_) throw system_error("make a file in '" + directory.string() + "'", errno);
    unlink(name.c_str());
  }
  void add(std::span<const std::byte> bytes) {
    write_all(file_.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
              std::string{"keep "} + incoming);
    size_ += bytes.size();
  }
  std::uint64_t size() const { return size_; }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const {
    std::size_t done = 0;
    while (done < out.size()) {
      cancel::check();
      const ssize_t n = pread(file_.get(), out.data() + done, out.size() - done,
                              static_cast<off_t>(offset + done));
      if (n == -1 && errno == EINTR) continue;
      if (n == -1) throw system_error(std::string{"read "} + incoming, errno);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

 private:
  Fd file_;
  std::uint64_t size_ = 0;
};

qcow2::Layer from_spool(const std::shared_ptr<Spool>& spool) {
  const auto read = [spool](std::uint64_t at, std::span<std::byte> out) {
    return spool->read_at(at, out);
  };
  const auto file =
      std::make_shared<qcow2::DiskFile>(read, spool->size(), incoming, qcow2::Behind::nothing);
  return {.virtual_size = file->virtual_size(),
          .extents = file->extents(),
          .read = [file](std::uint64_t at, std::span<std::byte> out) { file->read(at, out); }};
}

// As it comes, if it was written in sequence.
qcow2::Layer open_stream(int fd, const fs::path& directory) {
  auto spool = std::make_shared<Spool>(directory);
  const auto state = std::make_shared<std::pair<std::shared_ptr<Spool>, bool>>(spool, false);
  const auto source = [fd, state](std::span<std::byte> out) {
    state->second = true;
    const auto n = read_some(fd, out);
    if (state->first) state->first->add(out.first(n));
    state->second = false;
    return n;
  };
  try {
    const auto stream = std::make_shared<qcow2::StreamReader>(source, incoming);
    state->first.reset();
    return {.virtual_size = stream->plan().virtual_size(),
            .extents = stream->plan().extents(),
            .read = [stream](std::uint64_t at, std::span<std::byte> out) { stream->read(at, out); },
            .finish = [stream] { stream->finish(); }};
  } catch (const Error&) {
    if (state->second) throw;
  }
  std::vector<std::byte> buffer(at_once);
  while (source(buffer) > 0) continue;
  return from_spool(spool);
}

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
  const auto disk = open_stream(fd, directory);
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
