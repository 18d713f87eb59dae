// SPDX-License-Identifier: Apache-2.0
// A connection to a server by libssh2: found as ssh would find it, its key held against known_hosts
// (strictly: libssh2 accepts no new one), logged in with the agent and with key files.
#pragma once

#include <libssh2.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "common/error.h"
#include "common/handle.h"
#include "datastore/rsync/lib/link_target.h"
#include "datastore/rsync/lib/link_wait.h"
#include "datastore/rsync/lib/ssh_config.h"

namespace rsync {

// The ssh program might do what libssh2 cannot; the text says so.
struct NotForLibssh2 : Error {
  using Error::Error;
};

// For one thread at a time, with all that runs over it.  What was begun must come to its end before
// something else begins; after a throw nothing works any more, and destructors only close.
class Session {
 public:
  // Throws Error, NotForLibssh2, Cancelled.
  Session(const Target& target, Terms terms);
  Session(const Session&) = delete;
  ~Session();

  LIBSSH2_SESSION* get() const { return session_.get(); }
  const std::string& whom() const { return whom_; }
  bool broken() const { return broken_; }
  void abandon();  // nothing is sent or heard any more

  // Calls until it no longer answers EAGAIN, and waits in between.
  template <class Call>
  auto drive(Call call) {
    moved();
    for (;;) {
      const auto result = call();
      if (result != LIBSSH2_ERROR_EAGAIN) return result;
      wait();
    }
  }
  // The same for what makes something: nullptr is EAGAIN if libssh2 says so.
  template <class Make>
  auto make(Make make_it) {
    decltype(make_it()) made = nullptr;
    drive([&] {
      made = make_it();
      return made == nullptr ? libssh2_session_last_errno(get()) : 0;
    });
    return made;
  }

  // The same for what gives back, in destructors: on a connection that is gone it frees memory.
  template <class Call>
  void give_back(Call call) noexcept {
    try {
      if (!broken_) return static_cast<void>(drive(call));
    } catch (const Error&) {
    }
    for (int i = 0; i < 100 && call() == LIBSSH2_ERROR_EAGAIN; ++i) {
    }
  }

  // Until the connection moves, for whoever was told EAGAIN.
  void wait();
  void moved() {
    patience_.moved();
    heard_ = Clock::now();
  }
  bool sending() const;  // a part of a packet is still to go: nothing else may begin

  // Throws an Error with libssh2's reason.
  [[noreturn]] void fail(const std::string& doing);

  std::uint64_t sent() const { return sent_; }
  std::uint64_t received() const { return received_; }

 private:
  using Clock = std::chrono::steady_clock;

  void shake_hands();
  void keep_alive();

  static LIBSSH2_SEND_FUNC(count_sent);
  static LIBSSH2_RECV_FUNC(count_received);

  std::string whom_;
  Patience patience_;
  SshConfig config_;
  Fd socket_;
  Owned<LIBSSH2_SESSION, libssh2_session_free> session_;
  Clock::time_point heard_ = Clock::now();
  Clock::time_point next_keep_alive_ = Clock::now();
  bool broken_ = false;
  std::uint64_t sent_ = 0, received_ = 0;
};

// Logs in on a session whose host is known to be right.  Throws Error, NotForLibssh2.
void log_in(Session& session, const SshConfig& config);

// A connected socket that does not block.
Fd connect_to(const std::string& host, const std::string& port, const std::string& whom,
              Terms terms);

}  // namespace rsync
