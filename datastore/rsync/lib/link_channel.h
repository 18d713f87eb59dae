// SPDX-License-Identifier: Apache-2.0
// A Link to a program that sshd starts for us, over a session of libssh2.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "datastore/rsync/lib/link.h"
#include "datastore/rsync/lib/session_lane.h"

namespace rsync {

class ChannelLink : public Link {
 public:
  // Error, NoChannel, NoPrograms.
  ChannelLink(std::shared_ptr<Session> session, const std::vector<std::string>& argv);
  ~ChannelLink() override;

  std::size_t read(std::span<std::byte> out) override;
  void write(std::span<const std::byte> bytes) override;
  void close_input() override;
  End wait() override;
  std::uint64_t sent() const override { return sent_; }
  std::uint64_t received() const override { return received_; }

 private:
  // Within the lane.
  bool listen();  // what is on its stderr now; false: to be called again before anything else
  ssize_t try_read(std::span<std::byte> out);
  ssize_t try_write(std::span<const std::byte> bytes);

  int status() const;

  std::string how_it_ended();
  void free() noexcept;

  std::shared_ptr<Session> session_;
  Lane lane_;
  LIBSSH2_CHANNEL* channel_ = nullptr;
  std::string said_;
  bool input_open_ = true, listening_ = false;
  std::uint64_t sent_ = 0, received_ = 0;
};

}  // namespace rsync
