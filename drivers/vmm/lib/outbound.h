// SPDX-License-Identifier: Apache-2.0
// What goes to the core: all that the stock driver says, and lines of ours between its lines.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

namespace front {

class Outbound {
 public:
  void stock(std::string_view bytes);
  // Not before the first line of the stock driver, which answers INIT.  `written` is called when
  // the core's pipe holds all of it.
  void line(std::string text, std::function<void()> written = {});

  bool empty() const { return size() == 0; }
  std::size_t size() const { return queue_.size() - gone_; }
  // Writes some of it to a descriptor that is ready for that.  False: nobody reads it any more.
  bool write_some(int fd);

 private:
  struct Held {
    std::string text;
    std::function<void()> written;
  };
  void release();

  std::string queue_;
  std::size_t gone_ = 0;  // of the queue's beginning
  bool begun_ = false;
  bool at_line_start_ = true;
  std::deque<Held> held_;  // wait for the stock driver to end its line
  std::uint64_t queued_ = 0, sent_ = 0;
  std::deque<std::pair<std::uint64_t, std::function<void()>>> marks_;
};

}  // namespace front
