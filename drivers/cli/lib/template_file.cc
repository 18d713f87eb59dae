// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/template_file.h"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>

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

std::string typed_line(const std::string& question) {
  std::fprintf(stderr, "%s: ", question.c_str());
  const Unseen unseen;
  std::string line;
  std::getline(std::cin, line);
  return line;
}

}  // namespace

std::string template_text(const std::string& file) {
  auto text =
      file.empty() ? std::string{std::istreambuf_iterator<char>{std::cin}, {}} : read_file(file);
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
    std::getline(std::cin, line);
  line.erase(std::min(line.find_first_of("\r\n"), line.size()));
  if (line.empty()) throw BadRequest{"there is no password: an empty line, or an empty file"};
  return line;
}

}  // namespace cli
