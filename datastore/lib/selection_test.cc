// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/selection.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

Selection select(const std::vector<DirectoryEntry>& entries, Reads reads = Reads::one_at_a_time) {
  return select_files(entries, "/b", reads);
}

DirectoryEntry file(const std::string& name, std::uint64_t size = 1) {
  return {.name = name, .size = size, .regular = true};
}

TEST(Selection, HoldsTheFilesOfABackupAndNoOthers) {
  const auto chosen =
      select({file("vm.xml", 10), file("disk.10.0", 5), file("disk.0.0", 7), file("tmp"),
              file("disk.tpm.0", 2), file("vmvault.json", 3), file("domain.xml", 4),
              file("nvram.fd", 6), file("nvram.bin"), file("xdisk.0.0")});
  EXPECT_EQ(chosen.names,
            (std::vector<std::string>{"disk.0.0", "disk.10.0", "disk.tpm.0", "domain.xml",
                                      "nvram.fd", "vm.xml", "vmvault.json"}));
  EXPECT_EQ(chosen.bytes, 37U);
  EXPECT_EQ(chosen.disk_bytes, 12U);
  EXPECT_EQ(chosen.format, "raw");
}

TEST(Selection, TakesTheSumsOfAViewOnlyWhereTheyAreReadAfterTheDisks) {
  std::vector<DirectoryEntry> entries{file("disk.0.3", 9), file("sums.0.3", 32), file("vm.xml")};
  EXPECT_EQ(select(entries, Reads::several_at_once).bytes, 42U);
  EXPECT_FALSE(select(entries).sums_of_view);
  for (auto& entry : entries) entry.view = true;
  const auto all = select(entries);
  EXPECT_EQ(all.names, (std::vector<std::string>{"disk.0.3", "sums.0.3", "vm.xml"}));
  EXPECT_EQ(all.disk_bytes, 9U);
  EXPECT_TRUE(all.sums_of_view);
  const auto without = select(entries, Reads::several_at_once);
  EXPECT_EQ(without.names, (std::vector<std::string>{"disk.0.3", "vm.xml"}));
  EXPECT_EQ(without.sizes, (std::map<std::string, std::uint64_t>{{"disk.0.3", 9}, {"vm.xml", 1}}));
  EXPECT_FALSE(without.sums_of_view);
}

TEST(Selection, NeedsADiskAndTheVm) {
  EXPECT_THROW(select({file("vm.xml")}), Error);
  EXPECT_THROW(select({file("vm.xml"), file("disk.tpm.0")}), Error);
  EXPECT_THROW(select({file("disk.0.0")}), Error);
}

TEST(Selection, TakesPlainFilesOnly) {
  EXPECT_THROW(
      select({file("vm.xml"), file("disk.0.0"), {.name = "disk.1.0", .size = 0, .regular = false}}),
      Error);
}

TEST(Selection, JudgesTheFormatByAllDisks) {
  EXPECT_EQ(select({file("vm.xml"), file("disk.0.rbd2"), file("disk.1.2.rbdiff")}).format, "rbd");
  EXPECT_THROW(select({file("vm.xml"), file("disk.0.0"), file("disk.1.rbd2")}), Error);
}

TEST(Selection, AnswersWithItsSizeRoundedUp) {
  const auto reply = [](std::uint64_t bytes) {
    return Selection{.names = {}, .disk_bytes = bytes, .format = "raw"}.reply("aaaa0000");
  };
  EXPECT_EQ(reply(0), "aaaa0000 1 raw");
  EXPECT_EQ(reply(1 << 20), "aaaa0000 1 raw");
  EXPECT_EQ(reply((1 << 20) + 1), "aaaa0000 2 raw");
}

TEST(Selection, EachDiskHasItsFileOfTheIncrement) {
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
