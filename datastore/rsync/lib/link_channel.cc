// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/link_channel.h"

#include <csignal>
#include <cstring>
#include <utility>

#include "common/command.h"

namespace rsync {
namespace {

constexpr std::size_t most_said = 64 << 10;
// What the server may send before we have read it.
constexpr unsigned window = 8u << 20, packet = 32768;

}  // namespace

ChannelLink::ChannelLink(std::shared_ptr<Session> session, const std::vector<std::string>& argv)
    : session_{std::move(session)}, lane_{*session_} {
  constexpr std::string_view type = "session";
  const auto alone = lane_.alone();
  channel_ = lane_.make([&] {
    return libssh2_channel_open_ex(session_->get(), type.data(), type.size(), window, packet,
                                   nullptr, 0);
  });
  if (channel_ == nullptr && lane_.failure() == LIBSSH2_ERROR_CHANNEL_FAILURE)
    throw NoChannel{session_->whom() + " opens no channel: " + lane_.reason()};
  if (channel_ == nullptr) lane_.fail("open a channel to " + session_->whom());
  const auto line = Command{argv}.display();
  const int rc = lane_.drive([&] {
    return libssh2_channel_process_startup(channel_, "exec", 4, line.c_str(),
                                           static_cast<unsigned>(line.size()));
  });
  if (rc == 0) return;
  if (rc != LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED)
    lane_.fail("start a program on " + session_->whom());
  free();
  throw NoPrograms{session_->whom() + " starts no programs"};
}

ChannelLink::~ChannelLink() { free(); }

// To let it end in order takes a round trip or two.
void ChannelLink::free() noexcept {
  lane_.give_back([&] { return libssh2_channel_free(channel_); });
}

bool ChannelLink::listen() {
  char buffer[4096];
  for (;;) {
    const auto n = libssh2_channel_read_stderr(channel_, buffer, sizeof buffer);
    listening_ = n == LIBSSH2_ERROR_EAGAIN && lane_.sending();
    if (n <= 0) return !listening_;
    said_.append(buffer, static_cast<std::size_t>(n));
    if (said_.size() > 2 * most_said) said_.erase(0, said_.size() - most_said);
  }
}

// Listening may find the end, or bytes, on the way.
ssize_t ChannelLink::try_read(std::span<std::byte> out) {
  for (;;) {
    if (listening_ && !listen()) return LIBSSH2_ERROR_EAGAIN;
    const auto n = libssh2_channel_read(channel_, reinterpret_cast<char*>(out.data()), out.size());
    if (n > 0 || (n < 0 && n != LIBSSH2_ERROR_EAGAIN)) return n;
    if (n == 0 && libssh2_channel_eof(channel_)) return 0;
    if (lane_.sending() || !listen()) return LIBSSH2_ERROR_EAGAIN;
    if (!libssh2_channel_eof(channel_) && libssh2_poll_channel_read(channel_, 0) == 0)
      return LIBSSH2_ERROR_EAGAIN;
  }
}

std::size_t ChannelLink::read(std::span<std::byte> out) {
  const auto n = lane_.drive([&] { return try_read(out); });
  if (n < 0) lane_.fail("read from " + session_->whom());
  received_ += static_cast<std::uint64_t>(n);
  return static_cast<std::size_t>(n);
}

// The next packet; 0: the program reads no more.  To listen may be to take in the message that
// there is room again, and to try may be to take in the end, for which nobody would wake us: so the
// last things before we wait are to try, and to look.
ssize_t ChannelLink::try_write(std::span<const std::byte> bytes) {
  if (listening_ && !listen()) return LIBSSH2_ERROR_EAGAIN;
  for (bool listened = false;; listened = true) {
    const auto n =
        libssh2_channel_write(channel_, reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (n > 0) return n;
    if (n == LIBSSH2_ERROR_CHANNEL_CLOSED) return 0;
    if (n != 0 && n != LIBSSH2_ERROR_EAGAIN) return libssh2_channel_eof(channel_) ? 0 : n;
    if (lane_.sending()) return LIBSSH2_ERROR_EAGAIN;
    if (Lane::ended(channel_)) return 0;
    if (listened || !listen()) return LIBSSH2_ERROR_EAGAIN;
  }
}

void ChannelLink::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto n = lane_.drive([&] { return try_write(bytes); });
    if (n == 0) throw Error{how_it_ended()};
    if (n < 0) lane_.fail("write to " + session_->whom());
    sent_ += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

// What it has answered stays for who reads it.
std::string ChannelLink::how_it_ended() {
  lane_.drive([&] { return listen() ? 0 : LIBSSH2_ERROR_EAGAIN; });
  const auto why = one_line(last_line(said_));
  return "the program on " + session_->whom() + " has ended" + (why.empty() ? "" : ": " + why);
}

void ChannelLink::close_input() {
  if (!std::exchange(input_open_, false)) return;
  if (lane_.drive([&] { return libssh2_channel_send_eof(channel_); }) != 0)
    lane_.fail("close the input of the program on " + session_->whom());
}

int ChannelLink::status() const {
  char* signal = nullptr;
  libssh2_channel_get_exit_signal(channel_, &signal, nullptr, nullptr, nullptr, nullptr, nullptr);
  if (signal == nullptr) return libssh2_channel_get_exit_status(channel_);
  int status = 128;
  for (int number = 1; number < NSIG; ++number)
    if (const char* name = sigabbrev_np(number); name && std::string_view{name} == signal)
      status = 128 + number;
  libssh2_free(session_->get(), signal);
  return status;
}

Link::End ChannelLink::wait() {
  std::byte rest[4096];
  while (read(rest) != 0) {
  }
  End end;
  const int rc = lane_.drive([&, closing = false]() mutable {
    if (!closing && !listen()) return LIBSSH2_ERROR_EAGAIN;
    closing = true;
    const int closed = libssh2_channel_close(channel_);
    if (closed == 0) end.status = status();
    return closed;
  });
  if (rc != 0) lane_.fail("hear how the program on " + session_->whom() + " ended");
  end.said = said_;
  return end;
}

}  // namespace rsync
