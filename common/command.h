// SPDX-License-Identifier: Apache-2.0
// Running other programs.
//
//   const auto text = Command{"qemu-img", "info", "--output=json", path}.output();
//
// There is no shell: arguments are passed as they are.  on() is the one place
// where a shell is unavoidable (sshd starts one), so on() is the one place that
// quotes.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/child.h"

struct Finished {
  int status = 0;  // exit status, or 128 + the signal that killed it
  std::string out;
  std::string err;  // of a child that talks without end: the last MiB
  bool ok() const { return status == 0; }
};

constexpr int ssh_failed = 255;  // the status of an ssh that did not reach the host, or lost it

class Command {
 public:
  using Line = std::function<void(std::string_view)>;  // without its newline
  using Answer = std::function<std::string(std::string_view)>;

  Command(std::initializer_list<std::string_view> argv) : argv_(argv.begin(), argv.end()) {}
  explicit Command(std::vector<std::string> argv) : argv_{std::move(argv)} {}

  Command& arg(std::string_view value);
  Command& env(std::string_view name, std::string_view value);  // never displayed
  Command& input(std::string text);
  // After input(), keep the child's stdin open until it ends.  A helper on the other side
  // takes the end of its stdin for our death, and undoes: a cancellation or a deadline closes it
  // first, waits for the helper for the grace of stop_with(), and only then sends the signal, which
  // has half a second to work.
  Command& hold_input();
  // After hold_input(): each line of stdout is a question, and what the callback returns goes to
  // the child's stdin, instead of Finished::out.  If it throws, the child ends as by a
  // cancellation, and run() throws the same.  While it works, nothing else of the child is looked
  // at.
  Command& answers(Answer callback);
  Command& read_from(int fd);         // stdin comes straight from this descriptor
  Command& write_to(int fd);          // stdout goes straight to this descriptor
  Command& out_lines(Line callback);  // each line of stdout as it comes, instead of Finished::out
  // Each line of stderr as it comes, besides Finished::err; of a child that talks without end only
  // the first 4 MiB, and then a line that says so.
  Command& err_lines(Line callback);
  // Of stdout, or of one of its lines if those are handed out: a child that says more is stopped,
  // and run() throws an Error that says so.  By default 1 GiB.
  Command& most_output(std::size_t bytes);
  // Not done after this long: the child is stopped, and run() throws an Error that says so.
  Command& deadline(std::chrono::milliseconds limit);
  Command& stop_with(Stop stop);
  // If the child ends well although a cancellation has asked it to end, its answer counts, and
  // run() returns it: for what cannot be undone once it is done.
  Command& answer_counts();
  // A cancellation does not stop this child: for steps that undo.  Its deadline still does.
  Command& shielded();

  // The same command, run by ssh on `host` ("user@name" or "name").  env() does
  // not travel: send a secret as input().  Throws BadRequest for a host that is none.
  Command on(std::string_view host) const;

  // Run to the end.  Throws if it cannot start, when the deadline has passed, or Cancelled
  // after stopping the child; a non-zero status is the caller's to judge.  What the child
  // leaves running behind it is not waited for.
  Finished run() const;

  // Run, and insist on success: stdout, or an Error with the child's last words.
  std::string output() const;

  std::string display() const;  // quoted for people: logs and messages

  const std::vector<std::string>& argv() const { return argv_; }
  const std::vector<std::string>& environment() const { return env_; }

 private:
  std::vector<std::string> argv_;
  std::vector<std::string> env_;
  std::string input_;
  bool hold_input_ = false;
  bool answer_counts_ = false;
  bool shielded_ = false;
  int stdin_ = -1, stdout_ = -1;
  Line out_line_, err_line_;
  Answer answer_;
  std::size_t most_output_ = std::size_t{1} << 30;
  std::optional<std::chrono::milliseconds> deadline_;
  Stop stop_;
};

std::string shell_quote(std::string_view word);

// The last line of a text that is not blank, for messages.
std::string last_line(std::string_view text);
