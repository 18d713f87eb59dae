// SPDX-License-Identifier: Apache-2.0
// The files of a machine's disks, on the host where they are (tm/host/machine_files).
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/disk_file.h"
#include "drivers/lib/guest.h"

namespace guest {

class MachineFiles {
 public:
  // `host` as ssh takes it; localhost: this machine.
  explicit MachineFiles(std::string host = "localhost") : host_{std::move(host)} {}

  const std::string& host() const { return host_; }
  bool is_here() const { return host_ == "localhost"; }

  // What there is of each disk, in their order.  An Error names the disk, or the host that has not
  // answered.
  std::vector<disk_file::DiskFile> probe(const std::string& domain,
                                         const std::vector<GuestDisk>& disks) const;

  // Makes the machine's directory there, with a link disk.<id> to each file.
  void link(const std::filesystem::path& dir,
            const std::map<int, std::filesystem::path>& files) const;

  // What that directory says of the disks at the last increment; nullopt: nothing.
  std::optional<std::string> marks(const std::filesystem::path& dir) const;
  void put_marks(const std::filesystem::path& dir, const std::string& marks) const;

 private:
  std::string ask(const std::string& verb, const std::string& request) const;
  std::string host_;
};

// Puts right on that host what backups have left there that died with it.
void recover_host(const std::string& host);

}  // namespace guest
