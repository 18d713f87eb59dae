// SPDX-License-Identifier: Apache-2.0
#include "common/read_at.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>

#include "common/error.h"
#include "common/file.h"

namespace {

TEST(ReadAt, GivesWhatIsThereAndNoMore) {
  const TempDir dir;
  write_file(dir.path() / "file", "0123456789");
  const auto fd = open_file(dir.path() / "file", O_RDONLY);
  std::array<std::byte, 4> out{};
  EXPECT_EQ(read_at(fd.get(), 3, out, "it"), 4u);
  EXPECT_EQ(out[0], std::byte{'3'});
  EXPECT_EQ(read_at(fd.get(), 8, out, "it"), 2u);
  EXPECT_EQ(out[1], std::byte{'9'});
  EXPECT_EQ(read_at(fd.get(), 10, out, "it"), 0u);
}

TEST(ReadAt, SaysWhatCannotBeRead) {
  const TempDir dir;
  const auto fd = open_file(dir.path(), O_RDONLY | O_DIRECTORY);
  std::array<std::byte, 4> out{};
  try {
    read_at(fd.get(), 0, out, "the disk 'x'");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "cannot read the disk 'x': Is a directory");
  }
}

}  // namespace
