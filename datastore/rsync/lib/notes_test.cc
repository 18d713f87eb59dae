// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/notes.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"
#include "common/test_env.h"

namespace fs = std::filesystem;

namespace rsync {
namespace {

using Names = std::vector<std::string>;
constexpr const char* run = "0123456789abcdef";

class NotesTest : public testing::Test {
 protected:
  TempDir directory_;
  ScopedEnv var_{"VMVAULT_VAR", directory_.path().string()};
};

TEST_F(NotesTest, OutliveTheirProcess) {
  Notes{101, 12}.add("0e6658", run);
  EXPECT_EQ(Notes(101, 12).unclaimed(), Names{"0e6658"});
  EXPECT_TRUE(Notes(101, 13).unclaimed().empty());
  Notes{101, 12}.drop("0e6658");
  EXPECT_TRUE(Notes(101, 12).unclaimed().empty());
}

TEST_F(NotesTest, ABackupIsFoundByItsRunUntilTheNextOne) {
  Notes notes{101, 12};
  notes.add("0e6658", run);
  notes.add("0e6659", "");
  for (const auto* name : {"0e6658", "0e6659"}) notes.claim(name);
  EXPECT_TRUE(Notes(101, 12).unclaimed().empty());
  EXPECT_TRUE(Notes(101, 12).disown("ffffffffffffffff").empty());
  EXPECT_EQ(Notes(101, 12).disown(run), Names{"0e6658"});
  // What could not be removed is nobody's from then on.
  EXPECT_EQ(Notes(101, 12).unclaimed(), Names{"0e6658"});
}

TEST_F(NotesTest, ClaimedOnesAreForgotten) {
  Notes notes{101, 12};
  notes.add("0e6658", run);
  notes.claim("0e6658");
  notes.drop_claimed();
  EXPECT_TRUE(Notes(101, 12).disown(run).empty());
}

TEST_F(NotesTest, ThoseOfACopyAreNone) {
  Notes notes{101, 12};
  notes.add("0e6658", run);
  fs::copy_file(directory_.path() / "rsync-run.101.12", directory_.path() / "rsync-run.101.13");
  EXPECT_EQ(Notes(101, 12).unclaimed(), Names{"0e6658"});
  EXPECT_TRUE(Notes(101, 13).unclaimed().empty());
  EXPECT_TRUE(Notes(101, 13).disown(run).empty());
}

TEST_F(NotesTest, WhatIsNoNoteIsNone) {
  write_file(directory_.path() / "rsync-run.101.12", "../../x - open\n0e6658 ../x open\nzz\n");
  EXPECT_EQ(Notes(101, 12).unclaimed(), Names{"0e6658"});
}

TEST(CheckRun, IsSixteenDigits) {
  EXPECT_NO_THROW(check_run(run));
  for (const auto* text : {"", "0123", "0123456789ABCDEF", "../../../../../..x"})
    EXPECT_THROW(check_run(text), BadRequest) << text;
}

}  // namespace
}  // namespace rsync
