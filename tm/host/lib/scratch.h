// SPDX-License-Identifier: Apache-2.0
// Where qemu keeps what the guest overwrites during a backup, and where its NBD socket is.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/file.h"
#include "tm/host/lib/journal.h"
#include "tm/host/lib/live_disk.h"
#include "tm/lib/host_request.h"

namespace host {

class Scratch {
 public:
  // Chooses the places (settings SCRATCH_PATH and SOCKET_DIR, default <vm dir>/tmp), lets qemu's
  // user write there where we may, enters all names in the journal, and checks that the place is
  // fit and has the space.
  Scratch(const HostRequest& request, const LiveDomain& domain, Journal& journal);
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();  // removes what libvirt left

  const std::filesystem::path& socket() const { return socket_; }
  std::filesystem::path file_of(const std::string& target) const;

  const std::filesystem::path& dir() const { return dir_; }
  std::uint64_t floor() const { return floor_; }  // bytes that must stay free there

 private:
  // <vm dir>/tmp, removed when it is empty: there may be what others need in it.
  struct OwnDir {
    std::filesystem::path path;
    ~OwnDir();
  };

  OwnDir own_dir_;  // first: it goes last
  std::filesystem::path dir_;
  std::filesystem::path socket_;
  std::unique_ptr<TempDir> socket_dir_;  // where the ordinary path is too long for a socket
  std::string prefix_;
  std::vector<std::filesystem::path> files_;
  std::uint64_t floor_ = 0;
};

// Throws Error when `dir` has less than `floor` bytes free: the backup ends before the guest
// suffers.
void check_floor(const std::filesystem::path& dir, std::uint64_t floor);

}  // namespace host
