// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/display.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace cli {
namespace {

std::string strftime_text(std::int64_t seconds, bool utc, const char* format) {
  const auto when = static_cast<std::time_t>(seconds);
  std::tm broken{};
  if (utc)
    gmtime_r(&when, &broken);
  else
    localtime_r(&when, &broken);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), format, &broken);
  return text.data();
}

// The columns that a UTF-8 text takes, one per character.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::array units = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would be written as 1024.0.
  for (; value >= 1023.95 && unit + 1 < units.size(); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string duration_text(std::int64_t seconds) {
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} d {} h", seconds / 86400, seconds / 3600 % 24);
}

std::string local_time(std::int64_t seconds) {
  return strftime_text(seconds, false, "%Y-%m-%d %H:%M:%S");
}

std::string utc_time(std::int64_t seconds) {
  return strftime_text(seconds, true, "%Y-%m-%dT%H:%M:%SZ");
}

std::string count_text(std::size_t n, std::string_view noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool c1 = c == 0xc2 && i + 1 < text.size() &&
                    static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
                    static_cast<unsigned char>(text[i + 1]) < 0xa0;
    out += c < 0x20 || c == 0x7f || c1 ? '?' : text[i];
    if (c1) ++i;
  }
  return out;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], width(printable(row[i])));
    }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto cell = printable(row[i]);
      line += cell;
      if (i + 1 < row.size()) line += std::string(widths[i] - width(cell) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

void note(std::string_view text) {
  const auto line = "vmvault: " + printable(text) + "\n";
  std::fputs(line.c_str(), stderr);
}

void note_warning(std::string_view line) {
  constexpr std::string_view level = "WARN:";
  if (line.starts_with(level)) note("warning:" + std::string{line.substr(level.size())});
}

}  // namespace cli
