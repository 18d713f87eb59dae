// SPDX-License-Identifier: Apache-2.0
// What a child says, and what of it is kept: it may talk faster than we listen, and without end.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "common/handle.h"

// Without its newline.
using ChildLine = std::function<void(std::string_view)>;

// Its stdout: all of it, or line by line.
class ChildOutput {
 public:
  // With a `line` nothing is kept.  `line` must outlive this.
  ChildOutput(Fd fd, std::size_t most, const ChildLine& line);

  int fd() const { return fd_.get(); }  // -1 at its end
  // Takes what is there, and comes back soon in any case.
  void drain();
  // More than `most` are kept, or are one line: no more is taken.
  bool overflows() const { return overflows_; }
  // The child has ended: the rest, and what was kept.
  std::string finish();

 private:
  void take(std::string_view bytes);

  Fd fd_;
  const std::size_t most_;
  const ChildLine& line_;
  std::string text_;  // all, or the line that is not whole yet
  bool overflows_ = false;
};

// Its stderr: the end of it, which says why it has failed, and its lines as far as they are
// not too many.
class ChildMessages {
 public:
  ChildMessages(Fd fd, const ChildLine& line);

  int fd() const { return fd_.get(); }
  void drain();
  std::string finish();

 private:
  void take(std::string_view bytes);
  void pass(std::string_view line);

  Fd fd_;
  const ChildLine& line_;
  std::string text_, partial_;
  std::size_t passed_ = 0;
};
