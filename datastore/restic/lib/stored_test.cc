// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/stored.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace restic {
namespace {

const std::vector<StoredIncrement> moved{
    {.increment = 0,
     .snapshot = {.id = "aaaa0000aaaa",
                  .paths = {"/ds/0/12/backup/disk.0.0", "/ds/0/12/backup/vm.xml"},
                  .tags = {}},
     .merged = true},
    {.increment = 1,
     .snapshot = {.id = "bbbb1111bbbb",
                  .paths = {"/ds/1/12/backup/disk.0.1", "/ds/1/12/backup/disk.10.1"},
                  .tags = {}}}};

TEST(Stored, EachSnapshotHasItsOwnDirectory) {
  const auto files = stored_disk(moved, 0);
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].snapshot, "aaaa0000");
  EXPECT_EQ(files[0].path, "/ds/0/12/backup/disk.0.0");
  EXPECT_EQ(files[1].path, "/ds/1/12/backup/disk.0.1");
  EXPECT_TRUE(files[0].merged);
  EXPECT_FALSE(files[1].merged);
}

TEST(Stored, AFileThatIsNotThereIsNamedWithItsSnapshot) {
  try {
    stored_disk(moved, 10);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "the snapshot aaaa0000 has no file 'disk.10.0'");
  }
}

TEST(Stored, APathThatLeadsElsewhereIsRefused) {
  for (const char* path : {"/../../srv/secret/disk.0.0", "/a/../disk.0.0", "a/disk.0.0"}) {
    const Snapshot planted{.id = "aaaa0000aaaa", .paths = {path}, .tags = {}};
    EXPECT_THROW(stored_file(planted, "disk.0.0"), Error) << path;
    EXPECT_THROW(stored_disk_file({.increment = 0, .snapshot = planted}, 0), Error) << path;
  }
}

}  // namespace
}  // namespace restic
