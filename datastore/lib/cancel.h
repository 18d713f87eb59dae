// SPDX-License-Identifier: Apache-2.0
// What every backup datastore's backup_cancel does (contract 1.8).
#pragma once

#include <string>

#include "common/one/action.h"

namespace datastore {

// Asks the prebackup and the backup of the request's VM to end, our own and those of OpenNebula's
// drivers.  `request` has the argument "HOST:DIR" and "DEPLOY_ID", and a VM as its document.  None
// to stop is no failure.
void cancel_backup(const Request& request);

}  // namespace datastore
