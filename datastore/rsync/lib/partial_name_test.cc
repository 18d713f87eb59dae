// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/partial_name.h"

#include <gtest/gtest.h>

#include "common/file.h"
#include "common/test_env.h"

namespace rsync {
namespace {

TEST(PartialName, SaysWhose) {
  for (const auto* owner : {"", "0123456789abcdef"}) {
    const auto text = PartialName{.name = "0e6658", .owner = owner}.text();
    const auto parsed = PartialName::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->name, "0e6658");
    EXPECT_EQ(parsed->owner, owner);
  }
  EXPECT_EQ((PartialName{.name = "0e6658"}.text()), "0e6658.partial");
}

TEST(PartialName, IsNotThatOfOtherThings) {
  for (const auto* text :
       {"", "0e6658", ".partial", "0e665.partial", "0e6658.partial.", "0e6658.partial.0123",
        "0e6658.partial.0123456789abcdeX", "0e6658.partial.0123456789abcdef0",
        "0e6658.partial_0123456789abcdef", "0e6658.partialx", "0e6658.flat", "0e66587.partial"})
    EXPECT_FALSE(PartialName::parse(text)) << text;
}

TEST(OwnerOfUploads, IsThatOfTheStateDirectoryInItsPlace) {
  const TempDir top;
  const auto of = [&](const char* name) {
    const ScopedEnv var{"VMVAULT_VAR", (top.path() / name).string()};
    return owner_of_uploads();
  };
  const auto first = of("one");
  EXPECT_TRUE(is_owner(first));
  EXPECT_EQ(of("one"), first);
  EXPECT_NE(of("two"), first);
  std::filesystem::copy(top.path() / "one", top.path() / "copy");
  EXPECT_NE(of("copy"), first);
  EXPECT_EQ(of("one"), first);
  // Two in the same place, of two machines with one name.
  std::filesystem::remove(top.path() / "one" / "rsync-owner");
  EXPECT_NE(of("one"), first);
}

}  // namespace
}  // namespace rsync
