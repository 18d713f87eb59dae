// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/incoming.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"
#include "common/qcow2/disk_file.h"
#include "common/read_at.h"

namespace fs = std::filesystem;

namespace host {
namespace {

constexpr const char* incoming = "the disk that is restored";
constexpr std::size_t at_once = std::size_t{4} << 20;

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
    return ::read_at(file_.get(), offset, out, incoming);
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

}  // namespace

std::size_t read_some(int fd, std::span<std::byte> out) {
  for (;;) {
    cancel::check();
    const ssize_t n = read(fd, out.data(), out.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw system_error(std::string{"read "} + incoming, errno);
  }
}

// As it comes, if it was written in sequence.
qcow2::Layer open_incoming(int fd, const fs::path& directory) {
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

}  // namespace host
