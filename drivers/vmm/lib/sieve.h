// SPDX-License-Identifier: Apache-2.0
// Which lines of the core are looked at before the stock driver gets them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace front {

class Sieve {
 public:
  // Gets a whole line that begins with BACKUP, BACKUPCANCEL or DRIVER_CANCEL, without its newline.
  // True: it is dealt with, and the stock driver does not get it.
  using Take = std::function<bool(const std::string& line)>;

  explicit Sieve(Take take) : take_{std::move(take)} {}

  // What the stock driver gets of these bytes and of those held back before: every line that was
  // not taken, as it came.  Lines that nobody takes are not held back, however long.
  std::string pass(std::string_view bytes);
  // What is still held back, at the end of the stream.
  std::string rest();

 private:
  Take take_;
  std::string held_;      // the beginning of a line
  bool passing_ = false;  // in the middle of a line that goes on
};

}  // namespace front
