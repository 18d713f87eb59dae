// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/upload.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace restic {
namespace {

DirectoryEntry file(const std::string& name, std::uint64_t size = 1) {
  return {.name = name, .size = size, .regular = true};
}

TEST(Selection, HoldsTheFilesOfABackupAndNoOthers) {
  const auto chosen =
      select_files({file("vm.xml", 10), file("disk.10.0", 5), file("disk.0.0", 7), file("tmp"),
                    file("disk.tpm.0", 2), file("vmvault.json", 3), file("domain.xml", 4),
                    file("nvram.fd", 6), file("nvram.bin"), file("xdisk.0.0")},
                   "/b");
  EXPECT_EQ(chosen.names,
            (std::vector<std::string>{"disk.0.0", "disk.10.0", "disk.tpm.0", "domain.xml",
                                      "nvram.fd", "vm.xml", "vmvault.json"}));
  EXPECT_EQ(chosen.bytes, 37U);
  EXPECT_EQ(chosen.disk_bytes, 12U);
  EXPECT_EQ(chosen.format, "raw");
}

TEST(Selection, NeedsADiskAndTheVm) {
  EXPECT_THROW(select_files({file("vm.xml")}, "/b"), Error);
  EXPECT_THROW(select_files({file("vm.xml"), file("disk.tpm.0")}, "/b"), Error);
  EXPECT_THROW(select_files({file("disk.0.0")}, "/b"), Error);
}

TEST(Selection, TakesPlainFilesOnly) {
  EXPECT_THROW(
      select_files(
          {file("vm.xml"), file("disk.0.0"), {.name = "disk.1.0", .size = 0, .regular = false}},
          "/b"),
      Error);
}

TEST(Selection, JudgesTheFormatByAllDisks) {
  EXPECT_EQ(
      select_files({file("vm.xml"), file("disk.0.rbd2"), file("disk.1.2.rbdiff")}, "/b").format,
      "rbd");
  EXPECT_THROW(select_files({file("vm.xml"), file("disk.0.0"), file("disk.1.rbd2")}, "/b"), Error);
}

TEST(Selection, RoundsItsSizeUp) {
  EXPECT_EQ((Selection{.names = {}, .bytes = 0, .disk_bytes = 0, .format = ""}.mebibytes()), 1U);
  EXPECT_EQ((Selection{.names = {}, .bytes = 0, .disk_bytes = 1 << 20, .format = ""}.mebibytes()),
            1U);
  EXPECT_EQ(
      (Selection{.names = {}, .bytes = 0, .disk_bytes = (1 << 20) + 1, .format = ""}.mebibytes()),
      2U);
}

TEST(Upload, EachDiskHasItsFileOfTheIncrement) {
  Selection selection;
  selection.names = {"disk.0.3", "disk.1.rbd2", "disk.10.3.rbdiff", "vm.xml"};
  EXPECT_NO_THROW(require_disks(selection, {0, 10}, 3, "/b"));
  EXPECT_NO_THROW(require_disks(selection, {1}, 0, "/b"));
  EXPECT_THROW(require_disks(selection, {1}, 3, "/b"), Error);
  EXPECT_THROW(require_disks(selection, {0}, 2, "/b"), Error);
  try {
    require_disks(selection, {0, 2}, 3, "/b");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "there is no 'disk.2.3' in '/b'");
  }
}

}  // namespace
}  // namespace restic
