// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmm/lib/vm_log.h"

#include <gtest/gtest.h>

namespace front {
namespace {

TEST(VmLog, LeavesOutTheProgramAndNamesTheVm) {
  EXPECT_EQ(vm_log("INFO: backup_cancel: Successfully execute it.", "backup_cancel", 12),
            "LOG I 12 Successfully execute it.\n");
  EXPECT_EQ(vm_log("WARN: restic: backup: odd", "backup", 12), "LOG W 12 restic: backup: odd\n");
}

TEST(VmLog, IsNotForThePlainLineOfAnError) {
  EXPECT_EQ(vm_log("backup: it failed", "backup", 12), std::nullopt);
}

}  // namespace
}  // namespace front
