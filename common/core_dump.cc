// SPDX-License-Identifier: Apache-2.0
#include "common/core_dump.h"

#include <sys/resource.h>

#include <algorithm>

// Not 0: Linux does not keep to that where core_pattern names a program (systemd-coredump).  With 1
// it dumps neither there nor to a file.  PR_SET_DUMPABLE would close /proc/self, too, which whoever
// makes a user namespace needs.
void forbid_core_dumps() {
  rlimit limit{};
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max = std::min<rlim_t>(limit.rlim_max, 1);
  setrlimit(RLIMIT_CORE, &limit);
}
