// SPDX-License-Identifier: Apache-2.0
#include "common/one/template.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "common/error.h"

namespace one {
namespace {

bool is_name_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

std::string upper(std::string_view text) {
  std::string out{text};
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_{text} {}

  Template parse() {
    Template attributes;
    for (skip_space(); !done(); skip_space()) {
      Attribute attribute{name(), {}};
      equals();
      if (next() == '[')
        attribute.value = pairs();
      else
        attribute.value = value();
      attributes.push_back(std::move(attribute));
    }
    return attributes;
  }

 private:
  bool done() const { return at_ == text_.size(); }
  char next() const { return done() ? '\n' : text_[at_]; }

  [[noreturn]] void refuse(const std::string& why, std::size_t where) const {
    const auto line = std::count(text_.begin(), text_.begin() + static_cast<long>(where), '\n');
    throw BadRequest{"line " + std::to_string(line + 1) + " of the template: " + why};
  }

  void skip_blanks() {
    while (!done() && (next() == ' ' || next() == '\t' || next() == '\r')) ++at_;
  }

  // Blanks, line breaks and comments.
  void skip_space() {
    for (skip_blanks(); !done() && (next() == '\n' || next() == '#'); skip_blanks()) {
      if (next() == '#') at_ = std::min(text_.find('\n', at_), text_.size());
      if (!done()) ++at_;
    }
  }

  std::string name() {
    const auto begin = at_;
    while (!done() && is_name_letter(next())) ++at_;
    if (at_ == begin) refuse("a name is expected", begin);
    return upper(text_.substr(begin, at_ - begin));
  }

  void equals() {
    skip_blanks();
    if (next() != '=') refuse("'=' is expected after a name", at_);
    ++at_;
    skip_blanks();
  }

  std::string value() { return next() == '"' ? quoted() : word(); }

  std::string quoted() {
    const auto begin = at_++;
    std::string out;
    for (; !done() && next() != '"'; ++at_) {
      if (next() == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] == '"') ++at_;
      out += next();
    }
    if (done()) refuse("the quote that begins here has no end", begin);
    ++at_;
    return out;
  }

  // Empty at the end of a line, or where a comment begins.
  std::string word() {
    const auto end = std::min(text_.find_first_of(" \t\r\n,[]#\"", at_), text_.size());
    const auto begin = std::exchange(at_, end);
    skip_blanks();
    if (next() != '\n' && next() != '#' && next() != ',' && next() != ']')
      refuse("a value of several words needs quotes", at_);
    return std::string{text_.substr(begin, end - begin)};
  }

  Pairs pairs() {
    const auto begin = at_++;
    Pairs found;
    for (skip_space(); next() != ']'; skip_space()) {
      if (done()) refuse("the '[' here has no ']'", begin);
      std::string key = name();
      equals();
      found.emplace_back(std::move(key), value());
      skip_space();
      if (next() == ']') break;
      if (done()) refuse("the '[' here has no ']'", begin);
      if (next() != ',') refuse("',' or ']' is expected after a value", at_);
      ++at_;
      skip_space();
      if (next() == ']') refuse("a name is expected after ','", at_);
    }
    ++at_;
    return found;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

void check_name(const std::string& name) {
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_name_letter))
    throw BadRequest{"not the name of an attribute: '" + name + "'"};
}

std::string pair_text(const std::string& name, const std::string& value) {
  check_name(name);
  if (value.ends_with('\\'))
    throw BadRequest{"the value of " + name + " ends in a backslash, which a template cannot hold"};
  std::string out = name + " = \"";
  for (const char c : value) {
    if (c == '"') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string vector_text(const std::string& name, const Pairs& pairs) {
  if (pairs.empty()) return "";
  check_name(name);
  std::string out;
  for (const auto& [key, value] : pairs)
    out += (out.empty() ? "  " : ",\n  ") + pair_text(key, value);
  return name + " = [\n" + out + " ]\n";
}

}  // namespace

Template parse_template(std::string_view text) { return Parser{text}.parse(); }

std::string to_text(const Template& attributes) {
  std::string out;
  for (const auto& attribute : attributes) {
    if (const auto* pairs = std::get_if<Pairs>(&attribute.value))
      out += vector_text(attribute.name, *pairs);
    else
      out += pair_text(attribute.name, std::get<std::string>(attribute.value)) + "\n";
  }
  return out;
}

}  // namespace one
