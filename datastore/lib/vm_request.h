// SPDX-License-Identifier: Apache-2.0
// What the actions on the backup of one VM are given: the arguments of contract 2.6, and a
// DS_DRIVER_ACTION_DATA with DATASTORE and VM.
#pragma once

#include <optional>

#include "common/one/action.h"
#include "common/one/datastore.h"
#include "common/one/location.h"
#include "common/one/vm.h"
#include "datastore/lib/machine.h"

struct VmRequest {
  Location location;
  int vm_id = -1;
  std::optional<int> job_id;
  Datastore datastore;
  Vm vm;

  // BadRequest, naming it, for whatever is missing or no number.
  static VmRequest parse(const Request& request);
  // The VM's host, or the bridge that the core has chosen.
  Machine machine() const;
};
