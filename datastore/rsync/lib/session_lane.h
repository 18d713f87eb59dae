// SPDX-License-Identifier: Apache-2.0
// What one thread at a time does over a session, beside others.
#pragma once

#include <libssh2.h>

#include <mutex>
#include <string>

#include "common/handle.h"
#include "datastore/rsync/lib/session.h"

namespace rsync {

// The server has said no; the session is as good as before.
struct NoChannel : Error {  // not one more of them
  using Error::Error;
};

// libssh2 is no friend of threads: every call of it belongs into one of these, which holds the turn
// of the session while libssh2 works and while a part of a packet is still to go, and gives it up
// while it waits for the server.  What was begun must come to its end before something else begins
// in the same lane.
class Lane {
 public:
  explicit Lane(Session& session);
  Lane(const Lane&) = delete;

  // Calls until it no longer answers EAGAIN, and waits in between.
  template <class Call>
  auto drive(Call call) {
    auto turn = begin();
    for (;;) {
      const auto result = call();
      if (result != LIBSSH2_ERROR_EAGAIN) {
        end(static_cast<int>(result < 0 ? result : 0));
        return result;
      }
      wait(turn);
    }
  }
  // The same for what makes something: nullptr is EAGAIN if libssh2 says so.
  template <class Make>
  auto make(Make make_it) {
    decltype(make_it()) made = nullptr;
    drive([&] {
      made = make_it();
      return made == nullptr ? libssh2_session_last_errno(session_.get()) : 0;
    });
    return made;
  }
  // To be held over all that makes a channel useful: libssh2 has one state for opening them, and
  // takes the answer to a request on another channel for a wrong one to its own.
  std::unique_lock<std::mutex> alone() { return std::unique_lock{session_.opening_}; }

  // The same for what gives back, in destructors: on a connection that is gone it frees memory.
  // What the server does not answer soon stays as it is until the session ends.
  template <class Call>
  void give_back(Call call) noexcept {
    const Parting hurry{*this};
    try {
      if (!session_.broken()) return static_cast<void>(drive(call));
    } catch (const Error&) {
    }
    if (!session_.broken()) return;
    const std::lock_guard turn{session_.turn_};
    for (int i = 0; i < 100 && call() == LIBSSH2_ERROR_EAGAIN; ++i) {
    }
  }

  // For calls, while they are driven.
  bool sending() const { return session_.sending(); }  // nothing else may begin
  void moved() { patience_.moved(); }                  // what is waited for has come, or a part

  // No more comes through the channel, whatever of it is still unread: libssh2_channel_eof() waits
  // for that to be read, and who writes does not read.  Takes nothing in; spoils libssh2's last
  // error.
  static bool ended(LIBSSH2_CHANNEL* channel);

  // Of the last call, when it failed.
  int failure() const { return failure_; }
  const std::string& reason() const { return reason_; }
  // Throws an Error with libssh2's reason or this one, or with that for which the session broke
  // before.  After that, or abandon(), it is of no use to anybody.
  [[noreturn]] void fail(const std::string& doing, std::string why = "");
  void abandon(const std::string& why);

  void wake() const;

 private:
  struct Parting {
    explicit Parting(Lane& lane);
    ~Parting();
    Lane& lane;
    Patience usual;
  };
  std::unique_lock<FairMutex> begin();
  void end(int result);
  void wait(std::unique_lock<FairMutex>& turn);
  bool rest(std::unique_lock<FairMutex>& turn);

  Session& session_;
  Patience patience_;
  Fd woken_;
  int failure_ = 0;
  std::string reason_;
  bool parting_ = false;
  std::uint64_t sent_ = 0;  // by the session, when this lane last waited to send
  int in_vain_ = 0;
};

}  // namespace rsync
