// SPDX-License-Identifier: Apache-2.0
// An image, with its backing files, served read-only by a qemu-nbd that cannot outlive us.
#pragma once

#include <libnbd.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/child.h"
#include "common/file.h"
#include "common/handle.h"

namespace nbd {

class Server {
 public:
  struct Order {
    std::filesystem::path image;
    std::string format;
    std::string export_name;
    std::optional<std::string> bitmap;
    bool layers = false;  // say which layer has what
  };

  // Waits until it serves.  Throws Error with qemu-nbd's own words when it does not, for example
  // because a VM has the image open.  While it serves, no VM can be started on the image.
  Server(const Order& order, const std::filesystem::path& socket);

  const std::filesystem::path& socket() const { return socket_; }
  std::uint64_t size() const;  // of the disk that it serves, bytes

 private:
  void wait_until_it_serves(const Order& order);
  bool connect(const std::string& export_name);

  std::filesystem::path socket_;
  Child child_;
  // The first connection is a leash: qemu-nbd ends with its last client, so also when we are
  // killed, and the VM can be started again.
  Owned<nbd_handle, nbd_close> leash_;
};

// Ends each of them that serves a socket in this directory, or is about to: who started it may have
// died before he held its leash.  One that reads from Ceph may live on until its own deadlines.
void end_servers(const std::filesystem::path& directory);

}  // namespace nbd
