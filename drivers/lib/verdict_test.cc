// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/verdict.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace state {
namespace {

std::string disk(int id, bool proven, const std::string& problem = "",
                 const std::string& at = "null") {
  return R"({"id":)" + std::to_string(id) + R"(,"file":"disk","size":100,"sums":true,"proven":)" +
         (proven ? "true" : "false") + R"(,"problem":")" + problem + R"(","offset":)" + at +
         R"(,"guest_offset":)" + at + "}";
}

Verdict verdict(const std::string& disks, const std::string& problem = "") {
  return parse_verdict(R"({"repository":"","increments":[{"id":0,"problem":")" + problem +
                       R"(","disks":[)" + disks + "]}]}");
}

TEST(Verdict, IsProvenWhenEveryDiskIs) {
  EXPECT_TRUE(verdict(disk(0, true) + "," + disk(1, true)).increments[0].proven());
  EXPECT_FALSE(verdict(disk(0, true) + "," + disk(1, false)).increments[0].proven());
  EXPECT_FALSE(verdict(disk(0, true), "no vm.xml").increments[0].proven());
  EXPECT_FALSE(verdict("").increments[0].proven());
  EXPECT_EQ(verdict(disk(0, true) + "," + disk(1, true)).bytes(), 200U);
}

TEST(Verdict, NamesDiskAndOffsetOfADamage) {
  const auto one = verdict(disk(0, true) + "," + disk(3, false, "it is gone", "4096"), "and more");
  ASSERT_EQ(one.first_damaged(), &one.increments[0]);
  EXPECT_EQ(one.increments[0].damage(),
            "disk 3, offset 4096 (4096 on the guest's disk): it is gone");
  EXPECT_EQ(verdict(disk(0, true), "no vm.xml").increments[0].damage(), "no vm.xml");
  EXPECT_FALSE(verdict(disk(0, false)).first_damaged());
}

TEST(Verdict, RefusesWhatIsNone) {
  for (const char* text :
       {"", "{}", "[]", R"({"repository":"","increments":[{}]})",
        R"({"repository":"","increments":[{"id":0,"problem":"","disks":[{}]}]})"})
    EXPECT_THROW(parse_verdict(text), Error) << text;
}

}  // namespace
}  // namespace state
