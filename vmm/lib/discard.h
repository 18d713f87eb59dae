// SPDX-License-Identifier: Apache-2.0
// What a datastore holds although nobody was told of it.
#pragma once

#include <string>

#include "vmm/lib/job.h"

namespace vmm {

// An upload, by the name that its driver got (VMVAULT_RUN).
struct Upload {
  std::string run;    // empty: none was begun
  std::string reply;  // "<id> <MiB> <format>"; empty: its driver has not said what it stored
};

// Removes what that upload of `job` may have stored, through datastore/DS_MAD/discard.  `here` and
// `message` are of the backup that runs now.  What cannot be removed is named in the log.  Throws
// Cancelled.
void discard(const Upload& upload, const Job& job, const Job& here, const XmlNode& message);

}  // namespace vmm
