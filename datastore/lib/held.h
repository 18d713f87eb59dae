// SPDX-License-Identifier: Apache-2.0
// A program that works beside us, and ends when we do.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/child.h"
#include "common/command.h"

class Held {
 public:
  // Starts it at once, and gives it this input, which must fit into a pipe; its stdin is then held
  // open.  `name` is for messages.  Throws Error.
  Held(const std::vector<std::string>& argv, std::string_view input, std::string name);
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  // Before its end: it is asked to go, by the end of its stdin, and its output taken until it has,
  // so that it can clean up.
  ~Held();

  int out() const { return out_.get(); }      // what it writes
  int ended() const { return child_->fd(); }  // readable when it has ended
  std::string said() const;                   // on its stderr, so far
  // Waits for its end: its status and words.  May be asked again.
  Finished finish();

 private:
  Fd input_;  // held open
  Fd out_, err_;
  std::optional<Child> child_;
};
