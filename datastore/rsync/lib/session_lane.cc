// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/session_lane.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <utility>
#include <vector>

#include "common/error.h"

namespace rsync {
namespace {

constexpr std::chrono::milliseconds to_part{10'000};
constexpr int most_in_vain = 1000;

Terms parting(Terms terms) {
  if (terms.silence.count() == 0 || terms.silence > to_part) terms.silence = to_part;
  return terms;
}

}  // namespace

Lane::Lane(Session& session)
    : session_{session},
      patience_{session.whom_, session.terms_},
      woken_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {
  if (!woken_) throw system_error("wait for " + session.whom_, errno);
}

std::unique_lock<FairMutex> Lane::begin() {
  patience_.moved();
  failure_ = 0;
  reason_.clear();
  std::unique_lock turn{session_.turn_};
  session_.check();
  return turn;
}

// While the turn is ours: what libssh2 says is about the last call of anybody.
void Lane::end(int result) {
  session_.share();
  if (result == 0) return;
  char* text = nullptr;
  failure_ = libssh2_session_last_error(session_.get(), &text, nullptr, 0);
  reason_ = text != nullptr ? one_line(text) : "";
  if (session_.flooded_) reason_ = "the server sends what nobody has asked for";
  // Not every function of it leaves a text.
  if (failure_ == 0 || failure_ == LIBSSH2_ERROR_EAGAIN) {
    failure_ = result;
    reason_ = "libssh2 says " + std::to_string(result);
  }
}

void Lane::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = write(woken_.get(), &one, sizeof one);
}

// A packet of which a part has gone must be finished by the call that began it.
void Lane::wait(std::unique_lock<FairMutex>& turn) {
  session_.share();
  const bool sending = session_.sending();
  try {
    session_.keep_alive();
    const bool ready = rest(turn);
    if (!sending) return session_.check();
    if (ready) session_.heard();
    in_vain_ = ready && sent_ == session_.sent_ ? in_vain_ + 1 : 0;
    sent_ = session_.sent_;
    if (in_vain_ > most_in_vain) throw Error{"libssh2 does not finish what it sends"};
  } catch (const Error& error) {
    if (!parting_ || sending) session_.abandon(error.what());
    throw;
  }
}

// Whatever else comes is read by whom it wakes first, who then wakes us.
bool Lane::rest(std::unique_lock<FairMutex>& turn) {
  pollfd fds[] = {{session_.socket_.get(), POLLIN, 0}, {woken_.get(), POLLIN, 0}};
  const auto slice = session_.config_.alive_every;
  if (session_.sending()) {
    fds[0].events = POLLOUT;
    return patience_.wait(std::span{fds}.first(1), slice);
  }
  auto& waiting = session_.waiting_;
  waiting.push_back(this);
  turn.unlock();
  const struct Back {
    ~Back() {
      turn.lock();
      std::erase(lane.session_.waiting_, &lane);
      std::uint64_t count = 0;
      [[maybe_unused]] const auto n = read(lane.woken_.get(), &count, sizeof count);
    }
    Lane& lane;
    std::unique_lock<FairMutex>& turn;
  } back{*this, turn};
  return patience_.wait(fds, slice);
}

// It looks at the flag first.
bool Lane::ended(LIBSSH2_CHANNEL* channel) {
  return libssh2_channel_wait_closed(channel) != LIBSSH2_ERROR_INVAL;
}

Lane::Parting::Parting(Lane& parting_lane)
    : lane{parting_lane}, usual{std::move(parting_lane.patience_)} {
  lane.patience_ = Patience{lane.session_.whom_, parting(lane.session_.terms_)};
  lane.parting_ = true;
}

Lane::Parting::~Parting() {
  lane.patience_ = std::move(usual);
  lane.parting_ = false;
}

void Lane::abandon(const std::string& why) {
  const std::lock_guard turn{session_.turn_};
  session_.abandon(why);
}

void Lane::fail(const std::string& doing, std::string why) {
  if (why.empty()) why = reason_.empty() ? "the connection is gone" : reason_;
  abandon("cannot " + doing + ": " + why);
  throw Error{session_.why_};
}

}  // namespace rsync
