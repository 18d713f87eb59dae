// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/mad_message.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/number.h"

namespace mad {
namespace {

constexpr std::string_view blanks{" \t\r\n\v\f"};

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(blanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// Takes the first word away from the text.
std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  const auto word = text.substr(0, text.find_first_of(blanks));
  text.remove_prefix(word.size());
  return word;
}

// The end of a line, or what C takes for the end of a text, would begin another message.
std::string on_one_line(std::string_view text) {
  std::string line{trimmed(text)};
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r' || c == 0; }, ' ');
  return line;
}

}  // namespace

void LineReader::add(std::string_view bytes) {
  if (begin_ > 0) {
    text_.erase(0, begin_);
    searched_ -= begin_;
    begin_ = 0;
  }
  text_.append(bytes);
}

std::optional<std::string> LineReader::next() {
  const auto end = text_.find('\n', searched_);
  if (end == text_.npos) {
    searched_ = text_.size();
    return std::nullopt;
  }
  std::string line = text_.substr(begin_, end - begin_);
  begin_ = searched_ = end + 1;
  return line;
}

std::optional<Message> parse_message(std::string_view line) {
  if (line.empty() || blanks.find(line.front()) != blanks.npos) return std::nullopt;
  Message message;
  message.verb = take_word(line);
  for (char& c : message.verb)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  const auto id = take_word(line);
  if (!id.empty() && !(message.id = parse_number(id))) return std::nullopt;
  message.payload = take_word(line);
  return take_word(line).empty() ? std::optional{std::move(message)} : std::nullopt;
}

std::string answer(std::string_view verb, bool good, std::int64_t id, std::string_view info) {
  const std::string text = on_one_line(info);
  return std::string{verb} + (good ? " SUCCESS " : " FAILURE ") + std::to_string(id) + " " +
         (text.empty() ? "-" : text) + "\n";
}

std::string log_line(char severity, std::int64_t id, std::string_view text) {
  return std::string{"LOG "} + severity + " " + std::to_string(id) + " " + on_one_line(text) + "\n";
}

Said parse_said(std::string_view line) {
  constexpr std::array<std::pair<std::string_view, char>, 4> prefixes{
      {{"ERROR:", 'E'}, {"INFO:", 'I'}, {"WARN:", 'W'}, {"DEBUG:", 'D'}}};
  line = trimmed(line);
  for (const auto& [prefix, severity] : prefixes) {
    if (!line.starts_with(prefix) || line.size() == prefix.size() ||
        blanks.find(line[prefix.size()]) == blanks.npos)
      continue;
    std::string_view text = trimmed(line.substr(prefix.size()));
    const auto digits = text.substr(0, text.find_first_not_of("0123456789"));
    Said said{.severity = severity, .text = std::string{text}};
    if (const auto id = parse_number(digits)) {
      said.id = *id;
      said.text = trimmed(text.substr(digits.size()));
    }
    return said;
  }
  return {.severity = std::nullopt, .text = std::string{line}};
}

}  // namespace mad
