// SPDX-License-Identifier: Apache-2.0
// How a program of this suite fails.
//
// Throw Error for anything that stops the action; only run_action() catches it.
// Absence is not an error: return std::optional.
// A child's exit status is not an error until someone needs it to be zero.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

// What the process exits with.  A core only asks "zero or not"; people and tests
// ask for more.  Never 255: ssh uses it for its own failures.
enum class Exit : int {
  ok = 0,
  failed = 1,       // the world said no
  bad_request = 2,  // the caller said something we cannot read
  cancelled = 143,  // 128 + SIGTERM
};

// what() is one sentence for a person: what we were doing, on what, why it failed.
// It never holds a secret.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& what, Exit exit = Exit::failed)
      : std::runtime_error{what}, exit_{exit} {}
  Exit exit() const { return exit_; }

 private:
  Exit exit_;
};

struct BadRequest : Error {
  explicit BadRequest(const std::string& what) : Error{what, Exit::bad_request} {}
};

struct Cancelled : Error {
  explicit Cancelled(bool had_to_kill = false)
      : Error{"cancelled", Exit::cancelled}, killed{had_to_kill} {}
  bool killed;  // a child did not end when asked: what it began elsewhere may go on
};

// An Error built from errno: "cannot open '/a/b': No such file or directory".
// Takes errno as an argument so that building the message cannot disturb it.
Error system_error(std::string_view doing, int error_number);

// The same of what std::filesystem throws.
Error to_error(const std::filesystem::filesystem_error& error);

// The same text on one line: newlines and other control characters become blanks, runs of blanks
// become one, and there is none at either end.
std::string one_line(std::string_view text);
