// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/args.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "common/error.h"
#include "common/number.h"

namespace rsync {
namespace {

constexpr int usual_level = 6;  // what -z alone means to rsync

// As a shell would take them apart, which the rsync datastore of OpenNebula leaves to one.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> words;
  bool open = false;  // a word has begun, also if it is empty yet
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (quote == 0 && blank) {
      open = false;
      continue;
    }
    if (!std::exchange(open, true)) words.emplace_back();
    if (c == quote)
      quote = 0;
    else if (quote == 0 && (c == '\'' || c == '"'))
      quote = c;
    else if (c == '\\' && quote != '\'' && i + 1 < text.size())
      words.back() += text[++i];
    else
      words.back() += c;
  }
  if (quote != 0) throw BadRequest{"RSYNC_ARGS: a quote is not closed"};
  return words;
}

[[noreturn]] void refuse(const std::string& what) {
  throw BadRequest{"RSYNC_ARGS: '" + one_line(what) + "' is not supported"};
}

// "1.5m", "2000", "10MB": units of 1024 bytes if there is none.
std::optional<std::uint64_t> parse_rate(std::string_view text) {
  double number = 0;
  const auto [rest, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
  std::string unit{rest, text.data() + text.size()};
  for (char& c : unit) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (unit.empty()) unit = "K";
  const auto power = std::string_view{"BKMGT"}.find(unit.front());
  const auto kind = unit.substr(1);
  if (power == std::string_view::npos ||
      (!kind.empty() && (power == 0 || (kind != "B" && kind != "IB"))))
    return std::nullopt;
  const double bytes = number * std::pow(kind == "B" ? 1000 : 1024, static_cast<double>(power));
  if (bytes >= 0x1p62) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

std::vector<std::string> ssh_words(const std::string& value) {
  auto words = split(value);
  if (words.empty() || std::filesystem::path{words.front()}.filename() != "ssh")
    throw BadRequest{"RSYNC_ARGS: -e must be ssh with its options, not '" + one_line(value) + "'"};
  return words;
}

std::optional<int> parse_seconds(std::string_view text) { return parse_int(text); }
std::optional<int> parse_level(std::string_view text) { return parse_int(text, 0, 9); }

template <class Parse>
auto wanted(const std::string& name, const std::string& value, Parse parse) {
  if (const auto number = parse(value)) return *number;
  throw BadRequest{"RSYNC_ARGS: " + name + " cannot be '" + one_line(value) + "'"};
}

class Parser {
 public:
  explicit Parser(std::vector<std::string> words) : words_{std::move(words)} {}

  Args run() {
    for (; at_ < words_.size(); ++at_) {
      const auto& word = words_[at_];
      if (word.starts_with("--"))
        long_option(word);
      else if (word.size() > 1 && word.front() == '-')
        short_options(word);
      else
        refuse(word);
    }
    args_.archive = archive_ || (mode_ && time_);
    return args_;
  }

 private:
  void short_options(const std::string& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const auto rest = word.substr(i + 1);
      if (word[i] == 'e') {
        args_.ssh = ssh_words(rest.empty() ? next(word) : rest);
        return;
      }
      flag(word[i], std::string{"-"} + word[i]);
    }
  }

  void flag(char letter, const std::string& name) {
    switch (letter) {
      case 'a':
        archive_ = true;
        break;
      case 'p':
        mode_ = true;
        break;
      case 't':
        time_ = true;
        break;
      case 'S':
        args_.sparse = true;
        break;
      case 'W':
        args_.whole = true;
        break;
      case 'z':
        args_.compress = usual_level;
        break;
      // Plain files, which are the server's user's in any case; and nothing is printed.
      case 'r':
      case 'l':
      case 'g':
      case 'o':
      case 'D':
      case 'H':
      case 'A':
      case 'X':
      case 'v':
      case 'q':
      case 'h':
      case 'P':
        break;
      default:
        refuse(name);
    }
  }

  void long_option(const std::string& word) {
    static const std::map<std::string, char> flags{
        {"--archive", 'a'},  {"--perms", 'p'},      {"--times", 't'},      {"--sparse", 'S'},
        {"--compress", 'z'}, {"--whole-file", 'W'}, {"--recursive", 'r'},  {"--links", 'l'},
        {"--group", 'g'},    {"--owner", 'o'},      {"--hard-links", 'H'}, {"--acls", 'A'},
        {"--xattrs", 'X'},   {"--verbose", 'v'},    {"--quiet", 'q'},      {"--partial", 'P'},
        {"--progress", 'P'}, {"--stats", 'v'},      {"--inplace", 'P'}};
    const auto equals = word.find('=');
    const auto name = word.substr(0, equals);
    const auto value = [&] { return equals == word.npos ? next(name) : word.substr(equals + 1); };
    if (const auto it = flags.find(word); it != flags.end())
      flag(it->second, word);
    else if (word == "--no-whole-file")
      args_.whole = false;
    else if (name == "--bwlimit")
      args_.bytes_per_second = wanted(name, value(), parse_rate);
    else if (name == "--timeout")
      args_.timeout = std::chrono::seconds{wanted(name, value(), parse_seconds)};
    else if (name == "--compress-level")
      args_.compress = wanted(name, value(), parse_level);
    else if (name == "--rsh")
      args_.ssh = ssh_words(value());
    else
      refuse(name);
  }

  std::string next(const std::string& name) {
    if (++at_ >= words_.size()) throw BadRequest{"RSYNC_ARGS: " + name + " lacks its value"};
    return words_[at_];
  }

  std::vector<std::string> words_;
  std::size_t at_ = 0;
  Args args_;
  bool archive_ = false, mode_ = false, time_ = false;
};

}  // namespace

Args parse_args(std::string_view text) { return Parser{split(text)}.run(); }

}  // namespace rsync
