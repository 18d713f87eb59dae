// SPDX-License-Identifier: Apache-2.0
// A Link to a program that sshd starts for us, over a session of libssh2.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datastore/rsync/lib/link.h"
#include "datastore/rsync/lib/session.h"

namespace rsync {

class ChannelLink : public Link {
 public:
  // Error: the server starts no programs, or not this one.
  ChannelLink(std::shared_ptr<Session> session, const std::vector<std::string>& argv);
  ~ChannelLink() override;

  std::size_t read(std::span<std::byte> out) override;
  void write(std::span<const std::byte> bytes) override;
  void close_input() override;
  End wait() override;
  std::uint64_t sent() const override { return session_->sent(); }
  std::uint64_t received() const override { return session_->received(); }

 private:
  void listen();  // what is on its stderr now
  [[noreturn]] void ended();

  std::shared_ptr<Session> session_;
  LIBSSH2_CHANNEL* channel_ = nullptr;
  std::string said_;
  bool input_open_ = true;
};

}  // namespace rsync
