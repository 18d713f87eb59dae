// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_lanes.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <thread>

#include "datastore/rsync/lib/send_conversation.h"
#include "datastore/rsync/lib/send_files.h"

namespace rsync {
namespace {

int weight(const std::exception_ptr& failure) try {
  std::rethrow_exception(failure);
} catch (const Cancelled&) {
  return 3;
} catch (const Stopped&) {
  return 0;
} catch (const Lost&) {
  return 1;
} catch (...) {
  return 2;
}

}  // namespace

void side_by_side(const std::vector<std::function<void()>>& lanes,
                  const std::function<void()>& stop) {
  std::mutex mutex;
  std::exception_ptr failure;
  const auto run = [&](const std::function<void()>& lane) {
    try {
      lane();
    } catch (...) {
      const std::lock_guard lock{mutex};
      if (!failure) stop();
      if (!failure || weight(std::current_exception()) > weight(failure))
        failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < lanes.size(); ++i)
      threads.emplace_back([&run, &lane = lanes[i]] { run(lane); });
    run(lanes.front());
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace rsync
