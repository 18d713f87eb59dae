// SPDX-License-Identifier: Apache-2.0
#include "common/lvm/program.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace lvm {
namespace {

constexpr const char* not_backed_up = "  WARNING: This metadata update is NOT backed up.\n";

TEST(Complaint, IsTheLastLineThatIsNoWarning) {
  const std::string why = "  Failed to remove tag vmvault-1 from vg/lv.\n";
  EXPECT_EQ(complaint(why + not_backed_up), "Failed to remove tag vmvault-1 from vg/lv.");
  EXPECT_EQ(complaint(not_backed_up + why), "Failed to remove tag vmvault-1 from vg/lv.");
  EXPECT_EQ(complaint("  first\n" + why + "\n"), "Failed to remove tag vmvault-1 from vg/lv.");
}

TEST(Complaint, IsAWarningWhereThereIsNothingElse) {
  EXPECT_EQ(complaint(std::string{"  WARNING: Device is missing.\n"} + not_backed_up),
            "WARNING: This metadata update is NOT backed up.");
  EXPECT_EQ(complaint(""), "");
}

TEST(Insist, SaysWhyAProgramFailed) {
  const Command failing{"sh", "-c",
                        "echo '  No space in the pool.' >&2; echo '  WARNING: odd' >&2; exit 5"};
  try {
    insist(failing, "make the volume vg/lv");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "cannot make the volume vg/lv: No space in the pool.");
  }
}

}  // namespace
}  // namespace lvm
