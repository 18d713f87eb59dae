// SPDX-License-Identifier: Apache-2.0
// The way into the service's loop for other threads.
//
// Whoever has a wish calls call() and waits for the future; the loop watches fd() and calls work().
// What a function throws is thrown by the future's get().  A wish that will not be answered any
// more (the inbox is closed, the service ends) is answered by an Error.
#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include "common/error.h"
#include "common/handle.h"

namespace vmvaultd {

// The answer to a wish, for once: what comes after the first is not heard.  When the last copy goes
// and none was given, that is an Error.
template <class T>
class Reply {
 public:
  std::future<T> future() const { return state_->promise.get_future(); }  // once

  template <class... Value>  // one value, or none of void
  void give(Value&&... value) const {
    if (!std::exchange(state_->given, true))
      state_->promise.set_value(std::forward<Value>(value)...);
  }
  void refuse(std::exception_ptr error) const {
    if (!std::exchange(state_->given, true)) state_->promise.set_exception(std::move(error));
  }

 private:
  struct State {
    std::promise<T> promise{};
    bool given = false;
    ~State() {
      if (!given)
        promise.set_exception(std::make_exception_ptr(Error{"the service ends: ask again"}));
    }
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

class Inbox {
 public:
  Inbox();

  // From any thread: `work` is called in the loop, and the future has what it returns.
  template <class Work>
  auto call(Work work) -> std::future<std::invoke_result_t<Work>> {
    using T = std::invoke_result_t<Work>;
    return ask<T>([work = std::move(work)](const Reply<T>& reply) mutable {
      if constexpr (std::is_void_v<T>) {
        work();
        reply.give();
      } else {
        reply.give(work());
      }
    });
  }
  // The same, where the answer may come later.
  template <class T, class Work>
  std::future<T> ask(Work work) {
    Reply<T> reply;
    auto future = reply.future();
    put([reply, work = std::move(work)]() mutable {
      try {
        work(reply);
      } catch (...) {
        reply.refuse(std::current_exception());
        throw;
      }
    });
    return future;
  }

  // In the loop.
  int fd() const { return wake_.get(); }  // readable when there is something to do
  // Does what was wished, in that order.  A refusal (BadRequest) is for who has asked; what else a
  // function throws is thrown here, too, and what is behind that stays for the next call.
  void work();
  // Nothing is done any more: who waits gets an Error, as does whoever still asks.
  void close();

 private:
  void put(std::function<void()> work);

  Fd wake_;
  std::mutex mutex_;
  bool closed_ = false;
  std::deque<std::function<void()>> works_;
};

}  // namespace vmvaultd
