// SPDX-License-Identifier: Apache-2.0
// The connections to a server that share its channels: one, as far as the server allows.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "datastore/rsync/lib/session_lane.h"

namespace rsync {

// For any number of threads.
class SessionPool {
 public:
  SessionPool(Target target, Terms terms) : target_{std::move(target)}, terms_{terms} {}

  // What `make` makes of a session; of a new one if the last is broken, or throws NoChannel: the
  // server's MaxSessions.  Throws what they throw.
  template <class Make>
  auto open(Make make) {
    const std::lock_guard lock{mutex_};
    if (!last_ || last_->broken()) connect();
    try {
      return make(last_);
    } catch (const NoChannel&) {
      connect();
      return make(last_);
    }
  }

 private:
  void connect() { last_ = std::make_shared<Session>(target_, terms_); }

  const Target target_;
  const Terms terms_;
  std::mutex mutex_;
  std::shared_ptr<Session> last_;
};

}  // namespace rsync
