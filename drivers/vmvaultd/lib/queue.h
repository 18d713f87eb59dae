// SPDX-License-Identifier: Apache-2.0
// The backups that wait, and those that run, as an XML document: what one.vmvault.queue answers.
//
//   <QUEUE><VM><ID>1000000</ID><NAME>web</NAME><DATASTORE_ID>100</DATASTORE_ID><JOB_ID>-1</JOB_ID>
//   <ORIGIN>MANUAL</ORIGIN><PRIORITY>50</PRIORITY><SINCE>1764000000</SINCE><STARTED>-1</STARTED>
//   <FAILURES>0</FAILURES>
//   <WHY>VM 1000000 waits for host 0, which makes 2 backups (MAX_BACKUPS_HOST)</WHY></VM></QUEUE>
//
// One that runs has STARTED, and no WHY.
#pragma once

#include <map>
#include <string>

#include "drivers/vmvaultd/lib/scheduler.h"

namespace vmvaultd {

// `names` are those of the machines, by id; nothing is shown of those that have none there, where
// it says so.
enum class Show { all, named };
std::string queue_xml(const Scheduler& scheduler, const std::map<int, std::string>& names,
                      Show show = Show::all);

}  // namespace vmvaultd
