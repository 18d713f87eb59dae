// SPDX-License-Identifier: Apache-2.0
// Hours of the week in which backups may begin.
//
//   mon-fri 22:00-06:00, sat,sun 00:00-24:00
//
// Days by their first three letters, single, as lists and as ranges; none: every day.  A range of
// hours that ends before it begins goes on after midnight and belongs to the day on which it
// begins. The end is not part of it.  Hours are those of the wall (calendar.h): in the night in
// which the clock goes forward or back a window is shorter or longer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/vmvaultd/lib/calendar.h"

namespace vmvaultd {

class Window {
 public:
  static Window parse(std::string_view text);  // BadRequest, naming what cannot be read

  bool open(Time time) const;
  // The first instant after `time` at which it opens or closes; nullopt: it never does.
  std::optional<Time> next_change(Time time) const;

  // As it was given to parse().
  const std::string& text() const { return text_; }
  bool operator==(const Window&) const = default;

 private:
  struct Hours {
    int days = 0;          // bit n: weekday n, 0 is Sunday
    int from = 0, to = 0;  // seconds since midnight; `to` may lie on the next day
    bool operator==(const Hours&) const = default;
  };
  struct Span {
    Time begin, end;
  };

  std::vector<Span> spans(int first_date, int last_date) const;

  std::string text_;
  std::vector<Hours> hours_;
};

}  // namespace vmvaultd
