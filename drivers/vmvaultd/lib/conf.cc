// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/conf.h"

#include "common/error.h"

namespace vmvaultd {
namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(blanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_{text} {}

  std::vector<ConfEntry> all() {
    std::vector<ConfEntry> found;
    try {
      while (skip_lines()) {
        found.push_back(entry("\n"));
        if (at_end_of_line()) continue;
        const auto& [line, name, value, list, is_list] = found.back();
        throw BadRequest{name + ": there is more after the " + (is_list ? "bracket" : "quotes")};
      }
    } catch (const BadRequest& error) {
      throw BadRequest{"line " + std::to_string(line_) + ": " + error.what()};
    }
    return found;
  }

 private:
  bool ended() const { return at_ == text_.size(); }
  void skip_blanks() { at_ = std::min(text_.find_first_not_of(blanks, at_), text_.size()); }
  void skip_comment() {
    skip_blanks();
    if (!ended() && text_[at_] == '#') at_ = std::min(text_.find('\n', at_), text_.size());
  }
  bool at_end_of_line() {
    skip_comment();
    return ended() || text_[at_] == '\n';
  }
  // False: nothing is left.
  bool skip_lines() {
    for (; at_end_of_line(); ++at_, ++line_)
      if (ended()) return false;
    return true;
  }
  // Up to one of `ends`, or a comment.
  ConfEntry entry(std::string_view ends) {
    ConfEntry found{.line = line_, .name = {}};
    const auto equals = text_.find_first_of("=\n", at_);
    if (equals == text_.npos || text_[equals] == '\n') throw BadRequest{"it is not NAME = VALUE"};
    found.name = trimmed(text_.substr(at_, equals - at_));
    at_ = equals + 1;
    skip_blanks();
    const char first = ended() ? '\n' : text_[at_];
    try {
      if (first == '"')
        found.value = quoted();
      else if (first == '[' && ends == "\n")
        list(found);
      else
        found.value = plain(ends);
    } catch (const BadRequest& error) {
      throw BadRequest{found.name + ": " + error.what()};
    }
    return found;
  }

  std::string plain(std::string_view ends) {
    const auto begin = at_;
    at_ = std::min(text_.find_first_of(std::string{ends} + "\n#", at_), text_.size());
    return std::string{trimmed(text_.substr(begin, at_ - begin))};
  }

  std::string quoted() {
    std::string value;
    for (++at_; !ended() && text_[at_] != '\n'; ++at_) {
      if (text_[at_] == '"') return ++at_, value;
      if (text_[at_] == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
      value += text_[at_];
    }
    throw BadRequest{"the quotes do not end"};
  }

  void list(ConfEntry& found) {
    found.is_list = true;
    ++at_;
    while (skip_lines() && text_[at_] != ']') {
      found.list.push_back(entry(",]"));
      if (!skip_lines() || text_[at_] == ']') break;
      if (text_[at_] != ',') throw BadRequest{"there is no comma after " + found.list.back().name};
      ++at_;
    }
    if (ended()) throw BadRequest{"the bracket does not end"};
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<ConfEntry> parse_conf(std::string_view text) { return Parser{text}.all(); }

}  // namespace vmvaultd
