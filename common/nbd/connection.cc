// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/connection.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "common/cancel.h"
#include "common/error.h"

namespace nbd {
namespace {

using std::chrono::milliseconds;

// Nobody wakes us when a stop flag changes.
constexpr milliseconds stop_interval{100};

Error connect_error(const Export& source) {
  const char* why = nbd_get_error();
  return Error{"cannot connect to " + display(source) + ": " + (why ? why : "connection closed")};
}

int timeout(Clock::time_point until, Stop stop) {
  auto left = std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(until - Clock::now()));
  if (stop) left = std::min(left, stop_interval);
  return static_cast<int>(std::min<milliseconds::rep>(left.count(), 1 << 30));
}

pollfd poll_request(nbd_handle* handle) {
  const unsigned direction = nbd_aio_get_direction(handle);
  int events = 0;
  if (direction & LIBNBD_AIO_DIRECTION_READ) events |= POLLIN;
  if (direction & LIBNBD_AIO_DIRECTION_WRITE) events |= POLLOUT;
  return {direction != 0 ? nbd_aio_get_fd(handle) : -1, static_cast<short>(events), 0};
}

// A failure shows in the handle's state, and in its commands' completions.
void notify(nbd_handle* handle, short events) {
  if (events == 0) return;
  const unsigned direction = nbd_aio_get_direction(handle);
  if ((direction & LIBNBD_AIO_DIRECTION_READ) && (events & (POLLIN | POLLHUP | POLLERR)))
    nbd_aio_notify_read(handle);
  else if ((direction & LIBNBD_AIO_DIRECTION_WRITE) && (events & (POLLOUT | POLLHUP | POLLERR)))
    nbd_aio_notify_write(handle);
}

}  // namespace

std::string display(const Export& source) {
  return "export '" + source.name + "' of '" + source.socket.string() + "'";
}

nbd_completion_callback Completion::callback() {
  const auto complete = [](void* data, int* status) {
    auto* completion = static_cast<Completion*>(data);
    completion->error = *status;
    completion->done = true;
    return 1;  // retires the command
  };
  return {.callback = complete, .user_data = this, .free = nullptr};
}

Handle begin_connect(const Export& source, std::span<const std::string> contexts) {
  Handle handle{nbd_create()};
  if (!handle || nbd_set_export_name(handle.get(), source.name.c_str()) != 0 ||
      // Every byte of a buffer is the server's, or the read has failed.
      nbd_set_pread_initialize(handle.get(), false) != 0)
    throw connect_error(source);
  for (const auto& context : contexts)
    if (nbd_add_meta_context(handle.get(), context.c_str()) != 0) throw connect_error(source);
  if (nbd_aio_connect_unix(handle.get(), source.socket.c_str()) != 0) throw connect_error(source);
  return handle;
}

Handle connect(const Export& source, std::span<const std::string> contexts,
               std::chrono::seconds deadline, Stop stop) {
  const auto until = Clock::now() + deadline;
  Handle handle = begin_connect(source, contexts);
  while (nbd_aio_is_connecting(handle.get()) == 1) {
    if (Clock::now() >= until)
      throw Error{"cannot connect to " + display(source) + ": no answer within " +
                  std::to_string(deadline.count()) + " s"};
    wait({&handle, 1}, until, stop);
  }
  if (nbd_aio_is_ready(handle.get()) != 1) throw connect_error(source);
  return handle;
}

void wait(std::span<const Handle> handles, Clock::time_point until, Stop stop) {
  check_stop(stop);
  std::vector<pollfd> fds;
  for (const Handle& handle : handles) fds.push_back(poll_request(handle.get()));
  fds.push_back({cancel::fd(), POLLIN, 0});
  fds.push_back({cancel::watched(), POLLIN, 0});
  const int ready = poll(fds.data(), fds.size(), timeout(until, stop));
  if (ready == -1 && errno != EINTR) throw system_error("wait for an NBD server", errno);
  check_stop(stop);
  if (ready <= 0) return;
  for (std::size_t i = 0; i < handles.size(); ++i) notify(handles[i].get(), fds[i].revents);
}

void check_stop(Stop stop) {
  cancel::check();
  if (stop && stop->load()) throw Cancelled{};
}

}  // namespace nbd
