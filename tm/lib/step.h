// SPDX-License-Identifier: Apache-2.0
// The front-end's side of the capture: prebackup* and postbackup* of file disks.
#pragma once

#include <string>

#include "common/one/action.h"

enum class When { live, offline };

// Let backup_host fill the backup dir of the VM (contract 3.2).  A cancellation, or our death, is a
// cancellation there: the guest runs as before and the backup dir is gone.
std::string prebackup(const Request& request, When when);

// Let backup_host remove what prebackup left (contract 3.6).
std::string postbackup(const Request& request, When when);

// Let backup_host put right what a dead backup of the VM left.
std::string recover(const Request& request);

inline constexpr std::string_view step_args = "HOST:DIR DISKS DEPLOY_ID JOB_ID VM_ID DS_ID";
