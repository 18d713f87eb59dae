// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "datastore/rsync/lib/sftp.h"

namespace rsync {
namespace {

// libssh2 asks for four times this much ahead, and has as much on the way as one call offers.
constexpr std::size_t ahead = std::size_t{1} << 20;
constexpr std::size_t on_the_way = std::size_t{4} << 20;

}  // namespace

SftpFile Sftp::open(const std::string& path) {
  auto* handle = open_handle(path, LIBSSH2_FXF_READ, 0, LIBSSH2_SFTP_OPENFILE);
  if (handle == nullptr) fail("open", path);
  return {*this, handle, path};
}

SftpFile Sftp::create(const std::string& path, std::uint64_t offset, unsigned mode) {
  const unsigned long flags = LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT |
                              (offset == 0 ? static_cast<unsigned long>(LIBSSH2_FXF_TRUNC) : 0);
  auto* handle = open_handle(path, flags, mode, LIBSSH2_SFTP_OPENFILE);
  if (handle == nullptr) fail("write", path);
  SftpFile file{*this, handle, path};
  if (offset == 0) return file;
  LIBSSH2_SFTP_ATTRIBUTES attributes{};
  attributes.flags = LIBSSH2_SFTP_ATTR_SIZE;
  attributes.filesize = offset;
  if (ask([&] { return libssh2_sftp_fstat_ex(handle, &attributes, 1); }) != 0) fail("cut", path);
  libssh2_sftp_seek64(handle, offset);
  return file;
}

std::string Sftp::read(const std::string& path, std::size_t most) {
  auto file = open(path);
  std::string text;
  char part[32768];
  while (const auto n = file.read(std::as_writable_bytes(std::span{part}))) {
    text.append(part, n);
    if (text.size() > most)
      throw Error{"'" + path + "' on " + session_->whom() + " is too large for a document"};
  }
  return text;
}

void Sftp::write(const std::string& path, std::string_view text) {
  auto file = create(path);
  file.write(std::as_bytes(std::span{text}));
  file.sync();
}

SftpFile::SftpFile(SftpFile&& other) noexcept
    : sftp_{other.sftp_},
      handle_{std::exchange(other.handle_, nullptr)},
      path_{std::move(other.path_)},
      buffer_{std::move(other.buffer_)},
      begin_{other.begin_},
      position_{other.position_} {}

SftpFile::~SftpFile() {
  if (handle_ == nullptr) return;
  sftp_->lane_.give_back([&] { return libssh2_sftp_close_handle(handle_); });
}

std::size_t SftpFile::read(std::span<std::byte> out) {
  if (out.empty()) return 0;
  if (begin_ == buffer_.size()) {
    begin_ = 0;
    buffer_.resize(ahead);
    const auto n = sftp_->ask([&] {
      return libssh2_sftp_read(handle_, reinterpret_cast<char*>(buffer_.data()), buffer_.size());
    });
    buffer_.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    if (n < 0) sftp_->fail("read", path_);
  }
  const auto n = std::min(out.size(), buffer_.size() - begin_);
  std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), n, out.begin());
  begin_ += n;
  position_ += n;
  return n;
}

void SftpFile::read_at(std::uint64_t offset, std::span<std::byte> out) {
  const auto held = buffer_.size() - begin_;
  if (offset >= position_ && offset - position_ <= held) {
    begin_ += static_cast<std::size_t>(offset - position_);
  } else {
    buffer_.clear();
    begin_ = 0;
    libssh2_sftp_seek64(handle_, offset);
  }
  position_ = offset;
  while (!out.empty()) {
    const auto n = read(out);
    if (n == 0) throw Error{"'" + path_ + "' on " + sftp_->session_->whom() + " ends too early"};
    out = out.subspan(n);
  }
}

void SftpFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto n = std::min(bytes.size(), on_the_way - (buffer_.size() - begin_));
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    bytes = bytes.subspan(n);
    if (buffer_.size() - begin_ >= on_the_way) drain(on_the_way / 2);
  }
}

void SftpFile::flush() { drain(0); }

// What a call offers beyond what the server has confirmed is on its way already, and is offered
// again until it is: so there must always be enough of it.
void SftpFile::drain(std::size_t down_to) {
  while (buffer_.size() - begin_ > down_to) {
    const auto n = sftp_->ask([&] {
      return libssh2_sftp_write(handle_, reinterpret_cast<const char*>(buffer_.data() + begin_),
                                buffer_.size() - begin_);
    });
    if (n < 0) {
      // libssh2 1.10 forgets the rest of a request of which it has sent a part: whatever came next
      // would never be answered.
      try {
        sftp_->fail("write", path_);
      } catch (const Error& error) {
        sftp_->lane_.abandon(error.what());
        throw;
      }
    }
    begin_ += static_cast<std::size_t>(n);
  }
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin_));
  begin_ = 0;
}

bool SftpFile::sync() {
  flush();
  const int rc = sftp_->ask([&] { return libssh2_sftp_fsync(handle_); });
  if (rc == 0) return true;
  if (rc == LIBSSH2_ERROR_SFTP_PROTOCOL) {
    const auto why = libssh2_sftp_last_error(sftp_->sftp_);
    // Denied: the request itself, by sftp-server's -P.
    if (why == LIBSSH2_FX_OP_UNSUPPORTED || why == LIBSSH2_FX_PERMISSION_DENIED) return false;
  }
  sftp_->fail("make durable", path_);
}

void SftpFile::set_attributes(unsigned mode, std::int64_t mtime) {
  flush();
  LIBSSH2_SFTP_ATTRIBUTES attributes{};
  attributes.flags = LIBSSH2_SFTP_ATTR_PERMISSIONS | LIBSSH2_SFTP_ATTR_ACMODTIME;
  attributes.permissions = mode;
  attributes.atime = attributes.mtime = static_cast<unsigned long>(mtime);
  if (sftp_->ask([&] { return libssh2_sftp_fstat_ex(handle_, &attributes, 1); }) != 0)
    sftp_->fail("set the mode of", path_);
}

}  // namespace rsync
