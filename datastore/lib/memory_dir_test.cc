// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/memory_dir.h"

#include <gtest/gtest.h>

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

TEST(MemoryDir, IsATmpfsWithRoom) {
  const std::filesystem::path memory{"/dev/shm"};
  if (!std::filesystem::is_directory(memory)) GTEST_SKIP() << "there is no /dev/shm";
  EXPECT_EQ((MemoryDir{memory, 1}.unfit()), "");
  EXPECT_TRUE(has((MemoryDir{memory, 1 << 30}.unfit()), "MiB free, not 1073741824"));
}

TEST(MemoryDir, IsNothingElse) {
  EXPECT_TRUE(has((MemoryDir{"/proc", 0}.unfit()), "not in memory"));
  EXPECT_TRUE(has((MemoryDir{"/nowhere/at/all", 0}.unfit()), "No such file"));
}

}  // namespace
