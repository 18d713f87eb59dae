// SPDX-License-Identifier: Apache-2.0
// For unit tests only: the clock on the wall is elsewhere for a while.
#pragma once

#include <ctime>

#include "common/test_env.h"

namespace vmvaultd {

// Spelled out, so that no time zone files are needed.
inline constexpr const char* berlin_time = "CET-1CEST,M3.5.0,M10.5.0/3";

class ScopedZone {
 public:
  explicit ScopedZone(const char* name) : zone_{"TZ", name} { tzset(); }

 private:
  struct Afterwards {
    ~Afterwards() { tzset(); }
  };
  Afterwards afterwards_;  // destroyed after zone_
  ScopedEnv zone_;
};

}  // namespace vmvaultd
