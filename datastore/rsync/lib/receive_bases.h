// SPDX-License-Identifier: Apache-2.0
// What the disks of an upload may be built from.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/server_dir.h"

namespace rsync {

class ReceiveBases {
 public:
  // For each disk among these files the newest file of that disk that has side files.
  ReceiveBases(const Dir& vm, const std::vector<UploadFile>& files);

  const std::map<std::string, Base>& bases() const { return bases_; }
  // What copies refer to: of a disk the base, of a side file of an uploaded disk that of the base.
  // Held open since the beginning, so no removal disturbs.  Throws Error.
  int base_of(const std::string& file, const std::string& name) const;
  int side(const std::string& side_file, const std::string& name) const;  // Error

 private:
  struct Held {
    Fd file;
    std::map<std::string, Fd> side;  // by name
  };
  bool hold(const Dir& backup, const std::string& name, const std::string& disk_file,
            const std::string& uploaded);

  std::map<std::string, Base> bases_;  // by the uploaded file
  std::map<std::string, Held> held_;   // the same
};

}  // namespace rsync
