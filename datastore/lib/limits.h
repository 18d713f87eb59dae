// SPDX-License-Identifier: Apache-2.0
// What a backup may cost the machine that makes it (contract 3.1).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/one/datastore.h"
#include "datastore/lib/machine.h"

struct Limits {
  Priority priority;
  std::vector<std::string> unsupported;  // attributes that are set, but do nothing yet

  // From <prefix>_NICE and so on; -1 or nothing: no limit.  BadRequest, naming the attribute, for
  // what is no number, or no level.
  static Limits of(const Datastore& datastore, const std::string& prefix);

  void warn() const;  // of those without effect, one line of the log each
};
