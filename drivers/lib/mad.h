// SPDX-License-Identifier: Apache-2.0
// A driver that the core talks to by lines, and that runs an executable for each of them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "drivers/lib/mad_message.h"
#include "drivers/lib/mad_options.h"
#include "drivers/lib/mad_pool.h"

namespace mad {

// A line for the core.
void say(std::string_view line);
using Say = std::function<void(std::string_view line)>;

// What became of one executable, in the words of contract 2.5.
class Report {
 public:
  Report(std::int64_t id, std::string display, Say tell = say)
      : id_{id}, display_{std::move(display)}, say_{std::move(tell)} {}

  // A line of its stderr.  What is for the log goes there at once.
  void take(std::string_view line);
  // For the core: stdout, or the plain lines of stderr.  A failure is told to the log, too.
  std::string info(const Outcome& outcome) const;

 private:
  void log_failure(const Outcome& outcome) const;

  std::int64_t id_;
  std::string display_;
  Say say_;
  std::string all_, plain_;
};

// What -t and -w of a driver ask for: 15 at a time and no limit, if nothing.  Throws BadRequest.
Pool make_pool(const Options& options);

// Does what the core asks for until it says FINALIZE and all is done, or until it is gone, or until
// we are asked to end: then what runs is left alone.  INIT and DRIVER_CANCEL are answered here;
// `handle` gets the other messages that have an id and a payload.
void serve(Pool& pool, const std::function<void(const Message&)>& handle);

}  // namespace mad
