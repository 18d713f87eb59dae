// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/marks.h"

#include <gtest/gtest.h>

#include <chrono>

#include "common/command.h"
#include "common/error.h"
#include "common/file.h"

namespace host {

TEST(CheckpointName, IsTheOneOfTheContract) {
  EXPECT_EQ(checkpoint_name(12, 3), "one-12-3");
  EXPECT_EQ(checkpoint_increment(12, "one-12-3"), 3);
}

TEST(CheckpointName, HasThatOfTheCapture) {
  EXPECT_EQ(checkpoint_name(12, 3, "0badcafe"), "one-12-3-0badcafe");
  EXPECT_EQ(checkpoint_increment(12, "one-12-3-0badcafe"), 3);
}

TEST(CheckpointName, IsNotMistakenForAnotherVm) {
  EXPECT_EQ(checkpoint_increment(12, "one-123-3"), std::nullopt);
  EXPECT_EQ(checkpoint_increment(1, "one-12-3"), std::nullopt);
  EXPECT_EQ(checkpoint_increment(12, "one-12-3x"), std::nullopt);
  EXPECT_EQ(checkpoint_increment(12, "one-12--3"), std::nullopt);
  EXPECT_EQ(checkpoint_increment(12, "one-12-3-"), std::nullopt);
  EXPECT_EQ(checkpoint_increment(12, "one-12-3-nightly"), std::nullopt);
  EXPECT_EQ(checkpoint_increment(12, "one-12-backup"), std::nullopt);
  EXPECT_EQ(checkpoint_increment(12, "nightly"), std::nullopt);
}

TEST(Marks, KnowTheBackingFile) {
  const TempDir dir;
  const auto image = dir.path() / "a.qcow2";
  Command{"qemu-img", "create", "-q", "-f", "qcow2", image.string(), "1M"}.output();
  EXPECT_EQ(backing_of(image), "");
  Command{"qemu-img", "create", "-q",    "-f", "qcow2",        "-b",
          "/a b/c",   "-F",     "qcow2", "-u", image.string(), "1M"}
      .output();
  EXPECT_EQ(backing_of(image), "/a b/c");
  write_file(image, "QFI\xfb");
  EXPECT_THROW(backing_of(image), Error);
}

TEST(Marks, AreFoundAgain) {
  const TempDir dir;
  const Mark mark{.bitmap = "one-1-4",
                  .size = 1 << 30,
                  .image = "77/1.2",
                  .created = 1800000000,
                  .data = {0, 0, 65536, 131072},
                  .token = "0011223344556677",
                  .capture = "8899aabb",
                  .length = 4096,
                  .backing = "b\xff\n.qcow2"};
  Marks{dir.path()}.write(4, {{0, mark}}, 3);
  EXPECT_EQ(Marks{dir.path()}.find(4, 0), mark);
  EXPECT_EQ(Marks{dir.path()}.find(4, 1), std::nullopt);
  EXPECT_EQ(Marks{dir.path()}.find(3, 0), std::nullopt);
}

TEST(Marks, KnowTheNamesOfBitmaps) {
  const TempDir dir;
  Marks{dir.path()}.write(4, {{1, Mark{.bitmap = "one-1-4-0badcafe", .image = {}}}}, -1);
  EXPECT_EQ(Marks{dir.path()}.bitmap(1, 4), "one-1-4-0badcafe");
  EXPECT_EQ(Marks{dir.path()}.bitmap(1, 3), "one-1-3");
}

TEST(IdentityOf, TellsAFileFromTheOneThatTakesItsPlace) {
  const TempDir dir;
  const auto file = dir.path() / "disk";
  write_file(file, "a");
  const auto before = identity_of(file);
  write_file(dir.path() / "other", "b");
  EXPECT_NE(identity_of(dir.path() / "other"), before);
  // The clock of births ticks a few hundred times a second.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{20};
  do {
    std::filesystem::remove(file);
    write_file(file, "a");
  } while (identity_of(file) == before && std::chrono::steady_clock::now() < end);
  EXPECT_NE(identity_of(file), before);
  std::filesystem::create_symlink(file, dir.path() / "link");
  EXPECT_EQ(identity_of(dir.path() / "link"), identity_of(file));
}

TEST(Marks, KeepTheParentOnly) {
  const TempDir dir;
  Marks marks{dir.path()};
  for (int n = 0; n < 3; ++n)
    marks.write(n, {{0, Mark{.bitmap = checkpoint_name(1, n), .image = {}}}}, n - 1);
  const Marks read{dir.path()};
  EXPECT_FALSE(read.find(0, 0));
  EXPECT_TRUE(read.find(1, 0));
  EXPECT_TRUE(read.find(2, 0));
}

TEST(Marks, ThatAreDamagedAreNone) {
  const TempDir dir;
  for (const char* text : {"", "{", "[]", R"({"increments":{"0":{"0":{"bitmap":1}}}})",
                           R"({"increments":{"x":{"0":{}}}})"}) {
    write_file(dir.path() / "backup.marks", text);
    EXPECT_EQ(Marks{dir.path()}.find(0, 0), std::nullopt) << text;
  }
}

}  // namespace host
