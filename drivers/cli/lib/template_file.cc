// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/template_file.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/template.h"

namespace cli {
namespace {

// What is typed is not shown while this lives.
class Unseen {
 public:
  Unseen() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios now = before_;
    now.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &now) == 0;
  }
  Unseen(const Unseen&) = delete;
  ~Unseen() {
    if (!changed_) return;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    std::fputs("\n", stderr);
  }

 private:
  termios before_{};
  bool changed_ = false;
};

// Of stdin, up to its end or, for a line, a newline.  Cancelled by ^C.
std::string input(bool is_line) {
  std::string text;
  for (std::array<char, 65536> buffer; !is_line || text.find('\n') == text.npos;) {
    std::array<pollfd, 2> fds{{{STDIN_FILENO, POLLIN, 0}, {cancel::fd(), POLLIN, 0}}};
    poll(fds.data(), fds.size(), -1);
    cancel::check();
    if (fds[0].revents == 0) continue;
    const auto n = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n < 0) throw system_error("read stdin", errno);
    if (n == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

std::string typed_line(const std::string& question) {
  std::fprintf(stderr, "%s: ", question.c_str());
  const Unseen unseen;
  return input(true);
}

}  // namespace

std::string template_text(const std::string& file) {
  auto text = file.empty() ? input(false) : read_file(file);
  one::parse_template(text);
  return text;
}

std::string secret_line(const std::string& file, const std::string& question) {
  std::string line;
  if (!file.empty())
    line = read_file(file);
  else if (isatty(STDIN_FILENO) == 1)
    line = typed_line(question);
  else
    line = input(true);
  line.erase(std::min(line.find_first_of("\r\n"), line.size()));
  if (line.empty()) throw BadRequest{"there is no password: an empty line, or an empty file"};
  return line;
}

}  // namespace cli
