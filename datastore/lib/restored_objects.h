// SPDX-License-Identifier: Apache-2.0
// Objects of the core that are made together, or not at all.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/one/rpc.h"

namespace restored {

class Objects {
 public:
  // Of `user`.  After `limit` nothing more is made: nobody waits for it any more.
  Objects(const std::string& user, std::chrono::seconds limit);
  Objects(const Objects&) = delete;
  Objects& operator=(const Objects&) = delete;
  ~Objects();  // deletes what was made, unless keep(); what cannot be is said in the log

  // Their ids.  When one fails, those before it are deleted, and the Error names what could not be.
  int image(const std::string& name, const std::string& text, int datastore_id);
  int vm_template(const std::string& name, const std::string& text);

  // All are made.  Throws as the others when it is too late for that.
  void keep();

 private:
  template <class Make>
  int make(const std::string& what, const std::string& name, const Make& make);
  [[noreturn]] void fail(const std::string& why, Exit exit);
  std::chrono::seconds time_left() const;
  std::string undo() noexcept;

  Core core_;
  std::chrono::steady_clock::time_point end_;
  std::vector<int> images_;
  std::optional<int> template_;
  std::string unknown_;  // was asked for, without an answer
};

}  // namespace restored
