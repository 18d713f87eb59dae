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
    : session_{std::move(session)} {
  constexpr std::string_view type = "session";
  channel_ = session_->make([&] {
    return libssh2_channel_open_ex(session_->get(), type.data(), type.size(), window, packet,
                                   nullptr, 0);
  });
  if (channel_ == nullptr) session_->fail("open a channel to " + session_->whom());
  const auto line = Command{argv}.display();
  const int rc = session_->drive([&] {
    return libssh2_channel_process_startup(channel_, "exec", 4, line.c_str(),
                                           static_cast<unsigned>(line.size()));
  });
  if (rc != 0) session_->fail("start a program on " + session_->whom());
}

// To let it end in order takes a round trip or two; whoever is in trouble closes the connection.
ChannelLink::~ChannelLink() {
  session_->give_back([&] { return libssh2_channel_free(channel_); });
}

void ChannelLink::listen() {
  if (session_->sending()) return;
  char buffer[4096];
  for (;;) {
    const auto n = libssh2_channel_read_stderr(channel_, buffer, sizeof buffer);
    if (n <= 0) return;
    said_.append(buffer, static_cast<std::size_t>(n));
    if (said_.size() > 2 * most_said) said_.erase(0, said_.size() - most_said);
  }
}

void ChannelLink::ended() {
  const auto why = one_line(last_line(wait().said));
  throw Error{"the program on " + session_->whom() + " has ended" +
              (why.empty() ? "" : ": " + why)};
}

std::size_t ChannelLink::read(std::span<std::byte> out) {
  session_->moved();
  for (;;) {
    const auto n = libssh2_channel_read(channel_, reinterpret_cast<char*>(out.data()), out.size());
    if (n > 0) return static_cast<std::size_t>(n);
    if (n == 0 && libssh2_channel_eof(channel_)) return 0;
    if (n < 0 && n != LIBSSH2_ERROR_EAGAIN) session_->fail("read from " + session_->whom());
    listen();
    // listen() may have found the end, or bytes, on the way.
    if (!libssh2_channel_eof(channel_) && libssh2_poll_channel_read(channel_, 0) == 0)
      session_->wait();
  }
}

void ChannelLink::write(std::span<const std::byte> bytes) {
  session_->moved();
  while (!bytes.empty()) {
    const auto n =
        libssh2_channel_write(channel_, reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (n > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      session_->moved();
      continue;
    }
    if (n == LIBSSH2_ERROR_EAGAIN || n == 0) {
      listen();
      if (libssh2_channel_eof(channel_)) ended();
      session_->wait();
    } else if (n == LIBSSH2_ERROR_CHANNEL_CLOSED || libssh2_channel_eof(channel_)) {
      ended();
    } else {
      session_->fail("write to " + session_->whom());
    }
  }
}

void ChannelLink::close_input() {
  if (!std::exchange(input_open_, false)) return;
  if (session_->drive([&] { return libssh2_channel_send_eof(channel_); }) != 0)
    session_->fail("close the input of the program on " + session_->whom());
}

Link::End ChannelLink::wait() {
  session_->moved();
  std::byte rest[4096];
  while (!libssh2_channel_eof(channel_)) read(rest);
  listen();
  if (session_->drive([&] { return libssh2_channel_close(channel_); }) != 0)
    session_->fail("hear how the program on " + session_->whom() + " ended");
  char* signal = nullptr;
  libssh2_channel_get_exit_signal(channel_, &signal, nullptr, nullptr, nullptr, nullptr, nullptr);
  int status = libssh2_channel_get_exit_status(channel_);
  if (signal != nullptr) {
    status = 128;
    for (int number = 1; number < NSIG; ++number)
      if (const char* name = sigabbrev_np(number); name && std::string_view{name} == signal)
        status = 128 + number;
    libssh2_free(session_->get(), signal);
  }
  return {.status = status, .said = said_};
}

}  // namespace rsync
