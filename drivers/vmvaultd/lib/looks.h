// SPDX-License-Identifier: Apache-2.0
// When each host is asked for its machines.
//
// One that does not answer is asked later and later, and no other waits for it.
#pragma once

#include <map>
#include <set>
#include <string>

#include "drivers/vmvaultd/lib/schedule.h"

namespace vmvaultd {

class Looks {
 public:
  static constexpr Time longest = 10 * minute;  // or the interval, if that is longer

  explicit Looks(Time interval) : interval_{interval} {}

  // Is it to be asked now?  Then it is, until it has ended().  Another URI is asked at once.
  bool begins(int host, const std::string& uri, Time now);
  // came: it has not answered before.  nothing: its URI is another now, or it is not kept.
  enum class Heard { nothing, failed, came, again };
  Heard ended(int host, const std::string& uri, bool good, bool backs_off, Time now);

  std::size_t hosts() const { return hosts_.size(); }
  // The others are not asked any more.  One that is, and is wanted again, is not asked twice.
  void keep(const std::set<int>& hosts);
  // When one is to be asked, if nothing ends before.
  Time next() const;

 private:
  struct Host {
    std::string uri{};
    Time at = 0;
    bool asked = false, answered = false, kept = true;
    int failures = 0;
  };
  Time pause(const Host& host, bool backs_off) const;

  Time interval_;
  std::map<int, Host> hosts_;
};

}  // namespace vmvaultd
