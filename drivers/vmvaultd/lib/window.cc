// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/window.h"

#include <algorithm>
#include <array>

#include "common/error.h"
#include "common/number.h"

namespace vmvaultd {
namespace {

constexpr std::array<std::string_view, 7> names = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

constexpr std::size_t most_hours = 64;

[[noreturn]] void refuse(std::string_view text) {
  throw BadRequest{"'" + std::string{text} +
                   "' is no backup window: it is to look like 'mon-fri 22:00-06:00'"};
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  for (std::size_t at = 0; (at = text.find_first_not_of(" ,;\t\n", at)) != text.npos;) {
    const auto end = std::min(text.find_first_of(" ,;\t\n", at), text.size());
    found.push_back(text.substr(at, end - at));
    at = end;
  }
  return found;
}

int day_named(std::string_view word) {
  std::string lower{word};
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 'a' - 'A');
  const auto found = std::find(names.begin(), names.end(), lower);
  if (found == names.end()) refuse(word);
  return static_cast<int>(found - names.begin());
}

int days_named(std::string_view word) {
  const auto dash = word.find('-');
  const int first = day_named(word.substr(0, dash));
  const int last = dash == word.npos ? first : day_named(word.substr(dash + 1));
  int days = 1 << last;
  for (int number = first; number != last; number = (number + 1) % 7) days |= 1 << number;
  return days;
}

int time_named(std::string_view word) {
  const auto colon = word.find(':');
  if (colon == word.npos || word.size() - colon != 3) refuse(word);
  const auto hours = parse_int(word.substr(0, colon), 0, 24);
  const auto minutes = parse_int(word.substr(colon + 1), 0, 59);
  if (!hours || !minutes || (*hours == 24 && *minutes != 0)) refuse(word);
  return *hours * static_cast<int>(hour) + *minutes * static_cast<int>(minute);
}

}  // namespace

Window Window::parse(std::string_view text) {
  constexpr int every_day = 0x7f;
  Window window;
  window.text_ = text;
  int days = 0;
  bool named = false;  // days since the last hours
  for (const auto word : words(text)) {
    if (word.find(':') == word.npos) {
      days = named ? days | days_named(word) : days_named(word);
      named = true;
      continue;
    }
    const auto dash = word.find('-');
    if (dash == word.npos) refuse(word);
    Hours hours{.days = days == 0 ? every_day : days,
                .from = time_named(word.substr(0, dash)),
                .to = time_named(word.substr(dash + 1))};
    if (hours.to <= hours.from) hours.to += static_cast<int>(day);
    window.hours_.push_back(hours);
    named = false;
  }
  if (window.hours_.empty() || window.hours_.size() > most_hours || named) refuse(text);
  return window;
}

std::vector<Window::Span> Window::spans(int first_date, int last_date) const {
  std::vector<Span> found;
  for (int date = first_date; date <= last_date; ++date)
    for (const auto& [days, from, to] : hours_) {
      if ((days >> weekday(date) & 1) == 0) continue;
      const int after = to / static_cast<int>(day);
      const Span span{instant({date, from}),
                      instant({date + after, to - after * static_cast<int>(day)})};
      if (span.begin < span.end) found.push_back(span);
    }
  return found;
}

bool Window::open(Time time) const {
  const int date = wall(time).date;
  const auto all = spans(date - 2, date);
  return std::any_of(all.begin(), all.end(),
                     [&](const Span& span) { return span.begin <= time && time < span.end; });
}

std::optional<Time> Window::next_change(Time time) const {
  constexpr int far = 15;  // hours of one day a week, which summer time may skip once
  const int date = wall(time).date;
  std::vector<Time> edges;
  for (const auto& [begin, end] : spans(date - 2, date + far)) {
    edges.push_back(begin);
    edges.push_back(end);
  }
  std::sort(edges.begin(), edges.end());
  const bool now_open = open(time);
  for (const Time edge : edges)
    if (edge > time && open(edge) != now_open) return edge;
  return std::nullopt;
}

}  // namespace vmvaultd
