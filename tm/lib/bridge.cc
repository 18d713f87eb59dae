// SPDX-License-Identifier: Apache-2.0
#include "tm/lib/bridge.h"

#include <poll.h>

#include <cerrno>
#include <exception>
#include <future>
#include <iterator>
#include <optional>
#include <thread>

#include "common/cancel.h"
#include "common/error.h"

namespace {

constexpr Stop stop{.signal = SIGTERM, .grace = std::chrono::seconds{3}};
// The guest has a guard for itself: this is for a way to its host that has become silent.
constexpr std::chrono::minutes longest{10};

// The guest on its host, from the begin of a standstill to the end of this object at the latest.
class FarGuest {
 public:
  explicit FarGuest(const HostCall& host)
      : host_{host}, thread_{[this]() noexcept { stand_still(); }} {}
  FarGuest(const FarGuest&) = delete;
  ~FarGuest() { go_on_.write.reset(); }

  void wait_until_still() { still_.get_future().get(); }

  std::string report() {
    go_on_.write.reset();
    return report_.get_future().get();
  }

 private:
  void stand_still() noexcept {
    std::exception_ptr error;
    try {
      const auto finished = host_.command("still")
                                .hold_input()
                                .stop_with(stop)
                                .deadline(longest)
                                .answers([this](std::string_view said) { return hear(said); })
                                .run();
      host_.insist(finished);
      if (said_.empty()) throw Error{"backup_host on " + host_.host + " says nothing of the guest"};
      return report_.set_value(said_);
    } catch (...) {
      error = std::current_exception();
    }
    if (!stands_) still_.set_exception(error);
    report_.set_exception(error);
  }

  std::string hear(std::string_view line) {
    if (stands_) {
      said_ = line;
      return "";
    }
    if (line != bridge_words::still)
      throw Error{"backup_host on " + host_.host + " should say that the guest stands still"};
    stands_ = true;
    still_.set_value();
    // Not before a cancellation has gone its whole way: the guest waits.
    pollfd fds[] = {{go_on_.read.get(), POLLIN, 0}, {cancel::fd(), POLLIN, 0}};
    while (poll(fds, std::size(fds), -1) == -1 && errno == EINTR) {
    }
    cancel::check();
    return std::string{bridge_words::go_on} + "\n";
  }

  const HostCall& host_;
  Pipe go_on_;  // closed: it may
  std::promise<void> still_;
  std::promise<std::string> report_;
  bool stands_ = false;
  std::string said_;
  std::jthread thread_;  // first to end
};

}  // namespace

void begin_on_bridge(const HostCall& bridge, const HostCall& host) {
  std::optional<FarGuest> guest;
  const auto answer = [&](std::string_view question) -> std::string {
    if (question == bridge_words::stand_still && !guest) {
      guest.emplace(host);
      guest->wait_until_still();
      return std::string{bridge_words::still} + "\n";
    }
    if (question == bridge_words::go_on && guest) return guest->report() + "\n";
    throw Error{"backup_host on " + bridge.host + " asks for '" + one_line(question) +
                "', which nobody knows"};
  };
  const auto finished = bridge.command("begin").hold_input().stop_with(stop).answers(answer).run();
  // A bridge that was never reached has nothing, and would be asked for it for ever.
  if (finished.status == ssh_failed && !guest) bridge.strike_out();
  bridge.insist(finished);
  host.strike_out();
}
