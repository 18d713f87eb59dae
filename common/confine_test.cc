// SPDX-License-Identifier: Apache-2.0
#include "common/confine.h"

#include <gtest/gtest.h>

namespace {

TEST(Confine, AComplaintNamesEachLimitOnce) {
  EXPECT_EQ(confine::complaint({}), "");
  EXPECT_EQ(confine::complaint({.prefix = {}, .apart = false, .missing = {}, .why = "no rights"}),
            "");
  EXPECT_EQ(confine::complaint({.prefix = {},
                                .apart = true,
                                .missing = {"MAX_RIOPS", "CPU_QUOTA", "MAX_RIOPS"},
                                .why = "no rights"}),
            "limits that are not enforced here: CPU_QUOTA, MAX_RIOPS (no rights)");
}

}  // namespace
