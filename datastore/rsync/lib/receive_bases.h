// SPDX-License-Identifier: Apache-2.0
// What the disks of an upload may be built from.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/server_dir.h"

namespace rsync {

class ReceiveBases {
 public:
  explicit ReceiveBases(const Dir& vm) : vm_{vm} {}

  // The newest file of the disk of which this is a file, that has side files.  From now on it is
  // held open, so no removal disturbs.  Throws Error.
  std::optional<Base> find(const std::string& uploaded);
  // Of one that was found: what copies refer to; of a disk the base, of a side file of an uploaded
  // disk that of the base.  Throws Error.
  int base_of(const std::string& file, const std::string& name) const;
  int side(const std::string& side_file, const std::string& name) const;  // Error

 private:
  struct Held {
    Base base;
    Fd file;
    std::map<std::string, Fd> side;  // by name
  };
  bool hold(const Dir& backup, const std::string& name, const std::string& disk_file,
            const std::string& uploaded);

  const Dir& vm_;
  std::map<std::string, Held> held_;  // by the uploaded file
};

}  // namespace rsync
