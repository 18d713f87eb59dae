// SPDX-License-Identifier: Apache-2.0
// A connection to a server by libssh2: found as ssh would find it, its key held against known_hosts
// (strictly: libssh2 accepts no new one), logged in with the agent and with key files.
#pragma once

#include <libssh2.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/fair_mutex.h"
#include "common/handle.h"
#include "datastore/rsync/lib/link_target.h"
#include "datastore/rsync/lib/link_wait.h"
#include "datastore/rsync/lib/ssh_config.h"

namespace rsync {

class Lane;

// The ssh program might do what libssh2 cannot; the text says so.
struct NotForLibssh2 : Error {
  using Error::Error;
};

// Any number of channels at a time, each through a Lane of its own.  When one of them fails because
// nothing comes any more, by a cancellation, or since the connection is lost, all fail, with the
// same reason; destructors then only close.
class Session {
 public:
  // Throws Error, NotForLibssh2, Cancelled.
  Session(const Target& target, Terms terms);
  Session(const Session&) = delete;
  ~Session();

  LIBSSH2_SESSION* get() const { return session_.get(); }
  const std::string& whom() const { return whom_; }
  bool broken() const { return broken_; }

 private:
  friend class Lane;
  using Clock = std::chrono::steady_clock;

  void shake_hands(Lane& lane);

  // What follows is for who holds the turn.
  void check() const;                    // Error when it is broken
  void abandon(const std::string& why);  // nothing is sent or heard any more
  void share();                          // wakes the others if something has come
  bool sending() const;                  // a part of a packet is still to go
  void heard();
  void keep_alive();  // Error when nobody has answered for too long

  static LIBSSH2_SEND_FUNC(count_sent);
  static LIBSSH2_RECV_FUNC(count_received);
  static LIBSSH2_ALLOC_FUNC(allocate);
  static LIBSSH2_REALLOC_FUNC(reallocate);
  static LIBSSH2_FREE_FUNC(release);

  const std::string whom_;
  const Terms terms_;
  const SshConfig config_;
  Fd socket_;
  std::size_t memory_ = 0;  // of libssh2
  bool flooded_ = false;    // it wanted more than it may have
  Owned<LIBSSH2_SESSION, libssh2_session_free> session_;

  FairMutex turn_;      // libssh2 is at work, or has sent half a packet
  std::mutex opening_;  // a channel is being opened
  std::vector<const Lane*> waiting_;
  std::uint64_t sent_ = 0, received_ = 0, shared_ = 0;
  Clock::time_point next_keep_alive_ = Clock::now() + config_.alive_every;
  int unanswered_ = 0;
  std::atomic<bool> broken_ = false;
  std::string why_;
};

// Logs in on a session whose host is known to be right.  Throws Error, NotForLibssh2.
void log_in(Session& session, Lane& lane, const SshConfig& config);

// A connected socket that does not block.
Fd connect_to(const std::string& host, const std::string& port, const std::string& whom,
              Terms terms);

}  // namespace rsync
