// SPDX-License-Identifier: Apache-2.0
// The lines between a core and its drivers (contract 2.2 and 2.5).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mad {

// The lines of a stream that comes in pieces of any size.
class LineReader {
 public:
  void add(std::string_view bytes);
  // The next whole line, without its newline.
  std::optional<std::string> next();

 private:
  std::string text_;
  std::size_t begin_ = 0;     // of the line that is next
  std::size_t searched_ = 0;  // no newline before this
};

// What the core asks for.
struct Message {
  std::string verb;  // in upper case
  std::optional<std::int64_t> id;
  std::string payload;  // one word; empty for none
};

// nullopt for a line that drivers do not answer: empty, beginning with a blank, with more than
// three words, or with a second one that is no number.
std::optional<Message> parse_message(std::string_view line);

// "RM SUCCESS 57 -": one line, whatever is in `info`.
std::string answer(std::string_view verb, bool good, std::int64_t id, std::string_view info);

// "LOG I 12 text", as one line.  The severity is one of E W I D.
std::string log_line(char severity, std::int64_t id, std::string_view text);

// A line that an executable writes to its stderr.
struct Said {
  std::optional<char> severity;  // of a line for the log; none: it is part of the error
  std::int64_t id = -1;          // whose log
  std::string text;
};
Said parse_said(std::string_view line);

}  // namespace mad
