// SPDX-License-Identifier: Apache-2.0
#include "common/command.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "common/cancel.h"
#include "common/child_output.h"
#include "common/ended.h"
#include "common/error.h"

namespace {

using Clock = std::chrono::steady_clock;

// For the signal, after a helper has not obeyed the end of its stdin.
constexpr std::chrono::milliseconds after_held_input{500};
// For the end of one that was killed.  Who waits for a device that does not answer has none.
constexpr std::chrono::milliseconds after_kill{3000};

// What goes to the stdin of a child.
class Input {
 public:
  Input(Fd& fd, const std::string& text, bool hold) : fd_{fd}, text_{text}, hold_{hold} {
    if (text_.empty() && !hold_) fd_.reset();
    if (fd_) fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
  }

  void add(const std::string& text) {
    text_.erase(0, std::exchange(sent_, 0));
    text_ += text;
  }
  bool empty() const { return sent_ == text_.size(); }

  // Write what fits now, and close when all is written and nobody wants it open, or none of
  // it is wanted any more.
  void feed(short events) {
    if (events & POLLERR) return fd_.reset();
    const ssize_t n = empty() ? 0 : write(fd_.get(), text_.data() + sent_, text_.size() - sent_);
    if (n == -1 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0) sent_ += static_cast<size_t>(n);
    if (n == -1 || (empty() && !hold_)) fd_.reset();
  }

 private:
  Fd& fd_;
  std::string text_;
  std::size_t sent_ = 0;
  bool hold_;
};

int milliseconds_until(std::optional<Clock::time_point> end) {
  if (!end) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*end - Clock::now()).count();
  return static_cast<int>(std::clamp<long long>(left, 0, 1 << 30));
}

}  // namespace

Command& Command::arg(std::string_view value) {
  argv_.emplace_back(value);
  return *this;
}

Command& Command::env(std::string_view name, std::string_view value) {
  const std::string begin = std::string{name} + "=";
  std::erase_if(env_, [&](const std::string& pair) { return pair.starts_with(begin); });
  env_.push_back(begin + std::string{value});
  return *this;
}

Command& Command::input(std::string text) {
  input_ = std::move(text);
  return *this;
}

Command& Command::hold_input() {
  hold_input_ = true;
  return *this;
}

Command& Command::answers(Answer callback) {
  answer_ = std::move(callback);
  return *this;
}

Command& Command::read_from(int fd) {
  stdin_ = fd;
  return *this;
}

Command& Command::write_to(int fd) {
  stdout_ = fd;
  return *this;
}

Command& Command::out_lines(Line callback) {
  out_line_ = std::move(callback);
  return *this;
}

Command& Command::err_lines(Line callback) {
  err_line_ = std::move(callback);
  return *this;
}

Command& Command::most_output(std::size_t bytes) {
  most_output_ = bytes;
  return *this;
}

Command& Command::deadline(std::chrono::milliseconds limit) {
  deadline_ = limit;
  return *this;
}

Command& Command::stop_with(Stop stop) {
  stop_ = stop;
  return *this;
}

Command& Command::answer_counts() {
  answer_counts_ = true;
  return *this;
}

Command& Command::shielded() {
  shielded_ = true;
  return *this;
}

Command Command::on(std::string_view host) const {
  if (host.empty() || host.front() == '-' || host.find_first_of(" \t\r\n") != host.npos)
    throw BadRequest{"not a host name: '" + std::string{host} + "'"};
  if (!env_.empty()) throw std::logic_error{"env() does not travel over ssh: use input()"};
  Command ssh{*this};
  ssh.argv_ = {"ssh", "-o", "BatchMode=yes", "--", std::string{host}, display()};
  return ssh;
}

// Feeds and drains the child until it exits.  The end of its output would not do:
// ssh with ControlPersist leaves a process behind that keeps the pipes open.
Finished Command::run() const {
  Pipe in, out, err;
  Child child{argv_,
              env_,
              stdin_ != -1 ? stdin_ : in.read.get(),
              stdout_ != -1 ? stdout_ : out.write.get(),
              err.write.get(),
              stop_};
  in.read.reset();
  out.write.reset();
  err.write.reset();

  Finished finished;
  Input input{in.write, input_, hold_input_};
  bool asked_to_end = false;
  std::exception_ptr refusal;  // of an answer
  const Line answer = [&](std::string_view question) noexcept {
    if (asked_to_end || refusal) return;
    try {
      input.add(answer_(question));
    } catch (...) {
      refusal = std::current_exception();
    }
  };
  const Line& out_line = answer_ ? answer : out_line_;
  ChildOutput from_out{std::move(out.read), most_output_, out_line};
  ChildMessages from_err{std::move(err.read), err_line_};
  const auto end = deadline_ ? std::optional{Clock::now() + *deadline_} : std::nullopt;

  // Asks the child to end, and goes on listening while it does: whoever writes a word to a pipe
  // that nobody reads any more dies before it can undo.  A helper that we hold ends when its stdin
  // does, wherever it is: a signal would only reach the ssh that leads to it.
  const auto ends_within = [&](std::chrono::milliseconds limit) {
    const auto patience = Clock::now() + limit;
    do {
      pollfd fds[] = {
          {child.fd(), POLLIN, 0}, {from_out.fd(), POLLIN, 0}, {from_err.fd(), POLLIN, 0}};
      poll(fds, std::size(fds), milliseconds_until(patience));
      from_out.drain();
      from_err.drain();
      if (fds[0].revents != 0) return true;
    } while (Clock::now() < patience);
    return false;
  };
  bool killed = false;
  const auto ask_to_end = [&] {
    asked_to_end = true;
    if (hold_input_) {
      in.write.reset();
      child.ask(SIGCONT);
      if (ends_within(stop_.grace)) return;
    }
    child.ask(stop_.signal);
    if (ends_within(hold_input_ ? after_held_input : stop_.grace)) return;
    killed = kill(-child.pid(), SIGKILL) == 0;
    child.spend_grace();
  };

  for (bool exited = false; !exited;) {
    pollfd fds[] = {{child.fd(), POLLIN, 0},
                    {in.write.get(), static_cast<short>(input.empty() ? 0 : POLLOUT), 0},
                    {from_out.fd(), POLLIN, 0},
                    {from_err.fd(), POLLIN, 0},
                    {shielded_ ? -1 : cancel::fd(), POLLIN, 0},
                    {shielded_ ? -1 : cancel::watched(), POLLRDHUP, 0}};
    const int ready = poll(fds, std::size(fds), milliseconds_until(end));
    if (ready == -1 && errno != EINTR) throw system_error("wait for a child", errno);
    if (!shielded_ && cancel::requested()) {
      ask_to_end();
      const bool may_have_answered = answer_counts_ && (!killed || ends_within(after_kill));
      if (!may_have_answered || child.wait() != 0) throw Cancelled{killed};
      break;
    }
    if (ready == -1) continue;
    exited = fds[0].revents != 0;
    if (!exited && end && Clock::now() >= *end) {
      ask_to_end();
      const auto limit = std::chrono::ceil<std::chrono::seconds>(*deadline_).count();
      throw Error{"'" + display() + "' did not end within " + std::to_string(limit) + " s"};
    }
    if (fds[1].revents != 0) input.feed(fds[1].revents);
    from_out.drain();
    from_err.drain();
    if (refusal && !exited) ask_to_end();
    if (refusal) std::rethrow_exception(refusal);
    if (from_out.overflows()) {
      ask_to_end();
      break;
    }
  }
  finished.out = from_out.finish();
  finished.err = from_err.finish();
  if (from_out.overflows())
    throw Error{"'" + display() + "' said more than " + std::to_string(most_output_) + " bytes"};
  finished.status = child.wait();
  return finished;
}

std::string Command::output() const {
  Finished finished = run();
  if (finished.ok()) return std::move(finished.out);
  const std::string words = last_line(finished.err);
  throw Error{ended("'" + display() + "'", finished.status) + (words.empty() ? "" : ": " + words)};
}

std::string Command::display() const {
  std::string text;
  for (const auto& word : argv_) text += (text.empty() ? "" : " ") + shell_quote(word);
  return text;
}

std::string shell_quote(std::string_view word) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,";
  if (!word.empty() && word.find_first_not_of(plain) == word.npos) return std::string{word};
  std::string out{"'"};
  for (const char c : word) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

std::string last_line(std::string_view text) {
  const auto end = text.find_last_not_of(" \t\r\n");
  if (end == text.npos) return "";
  text = text.substr(0, end + 1);
  const auto newline = text.rfind('\n');
  return std::string{newline == text.npos ? text : text.substr(newline + 1)};
}
