// SPDX-License-Identifier: Apache-2.0
// What an rsync datastore says of itself (contract 3.9.1).
#pragma once

#include <filesystem>
#include <string>

#include "common/confine.h"
#include "common/one/chain.h"
#include "common/one/datastore.h"
#include "datastore/rsync/lib/link_target.h"

namespace rsync {

struct Settings {
  int datastore_id = -1;
  Target target;
  std::filesystem::path base;  // BASE_PATH
  std::string args;            // RSYNC_ARGS
  std::string transport;       // auto, libssh2 or ssh
  std::size_t channels;        // of an upload: so many disks go side by side
  std::filesystem::path tmp_dir;
  confine::Limits limits;

  // BadRequest, naming the attribute, for what is missing or cannot work.
  explicit Settings(const Datastore& datastore);

  // "'/backups/101/12' on 'bk1'"
  std::string place(int vm) const;
};

// The VM that a disk's URL is about: the directory below BASE_PATH, or, as our own URLs have it,
// the one that holds the backup directory.  BadRequest if the path is neither.
int vm_of(const DiskUrl& url, const Settings& settings);

// "disk.0.3"
std::string disk_file(int disk, const Increment& increment);

// The name of an increment's directory; an Error if it cannot be one.
const std::string& name_of(const Increment& increment);

}  // namespace rsync
