// SPDX-License-Identifier: Apache-2.0
// A FUSE file system on a directory, for some programs only: in a mount namespace of its own (and
// a user namespace, for an ordinary user), which a process of ours holds.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/child.h"
#include "common/handle.h"

class PrivateMount {
 public:
  // Whatever is at `at` for everybody else stays as it is: there need not be such a directory, and
  // what is in it is not touched.  Only for a process with one thread.  Throws an Error that says
  // why this user cannot have that here.
  explicit PrivateMount(const std::filesystem::path& at);
  PrivateMount(const PrivateMount&) = delete;
  PrivateMount& operator=(const PrivateMount&) = delete;
  // Nobody enters any more.  It goes with the last program in it.
  ~PrivateMount();

  // The open /dev/fuse of the file system, for whoever serves it.  Once.
  Fd take_fuse() { return std::move(fuse_); }

  // What comes after these words is run in it, as the same user.
  const std::vector<std::string>& prefix() const { return prefix_; }

 private:
  pid_t keeper_ = -1;
  Fd leash_;  // the keeper ends when it closes
  Fd fuse_;
  std::vector<std::string> prefix_;
};
