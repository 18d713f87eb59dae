// SPDX-License-Identifier: Apache-2.0
// A restic that works beside us, and ends when we do.
#pragma once

#include "common/child.h"
#include "common/command.h"
#include "datastore/restic/lib/restic.h"

namespace restic {

class Held {
 public:
  // Starts it at once, on the machine of `restic`.  Throws Error.
  Held(const Restic& restic, const RunRequest& request);
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  // Before its end: restic is asked to go, and its output taken until it has, so that it can remove
  // its lock.
  ~Held();

  int out() const { return out_.get(); }      // what it writes
  int ended() const { return child_->fd(); }  // readable when it has ended
  std::string said() const;                   // on its stderr, so far
  // Waits for its end: its status and words.  May be asked again.
  Finished finish();

 private:
  Fd request_;  // held open
  Fd out_, err_;
  std::optional<Child> child_;
};

}  // namespace restic
