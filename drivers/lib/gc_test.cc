// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/gc.h"

#include "drivers/lib/test_attempt.h"
#include "drivers/lib/test_home.h"

namespace state {
namespace {

namespace fs = std::filesystem;

class GcTest : public HomeTest {
 protected:
  GcTest() {
    action("inventory", "cat '" + (dir.path() / "names").string() + "'");
    action("rm", "base64 -d | grep -o '<SOURCE>[^<]*' | head -1 >>'" + removed().string() + "'");
    action("downloader", "cat '" + dir.path().string() + "'/$2");
    uuid("u0");
    time("2001-01-01T00:00:00Z");
    store.succeed(begin(), {.id = 0, .source = "aaaa0000", .dir = "/d"});
    store.fail(begin(), "killed");
    names("aaaa000011112222\nbbbb0000");
  }
  fs::path removed() const { return dir.path() / "removed"; }
  void names(const std::string& text) { write_file(dir.path() / "names", text, 0600); }
  // Of the machine that is in the backups.
  void uuid(const std::string& text) {
    write_file(dir.path() / "domain.xml", "<domain><uuid>" + text + "</uuid></domain>", 0600);
  }
  // When they were made.
  void time(const std::string& text) {
    write_file(dir.path() / "vmvault.json", R"({"time":")" + text + R"("})", 0600);
  }
  void action(const std::string& name, const std::string& text) {
    HomeTest::action("restic", name, text);
  }
  std::int64_t begin() { return store.begin(test_attempt(vm, 1)); }
};

TEST_F(GcTest, ListsWhatNoRecordKnowsAndRemovesItWhenAsked) {
  auto found = sweep(store, home, false);
  ASSERT_EQ(found.orphans.size(), 1U);
  EXPECT_EQ(found.orphans[0].name, "bbbb0000");
  EXPECT_FALSE(fs::exists(removed()));
  found = sweep(store, home, true);
  EXPECT_TRUE(found.orphans.at(0).removed);
  EXPECT_EQ(read_file(removed()), "<SOURCE>bbbb0000\n");
  EXPECT_TRUE(found.problems.empty());
}

TEST_F(GcTest, KeepsWhatIsAnotherMachines) {
  uuid("u1");
  const auto found = sweep(store, home, true);
  EXPECT_EQ(found.orphans.at(0).kept, "it is of a machine with the UUID 'u1'");
  EXPECT_FALSE(fs::exists(removed()));
}

TEST_F(GcTest, KeepsWhatNobodyCanRead) {
  action("downloader", "echo damaged >&2; exit 1");
  const auto found = sweep(store, home, true);
  EXPECT_EQ(found.orphans.at(0).kept, "whose it is cannot be read: downloader: damaged");
  EXPECT_FALSE(fs::exists(removed()));
}

TEST_F(GcTest, KeepsWhatWasMadeWhenNoBackupFailed) {
  for (const char* when : {"2099-01-01T00:00:00Z", "yesterday"}) {
    time(when);
    const auto found = sweep(store, home, true);
    EXPECT_NE(found.orphans.at(0).kept.find(when), std::string::npos) << found.orphans[0].kept;
  }
  write_file(dir.path() / "vmvault.json", "{}", 0600);
  EXPECT_NE(sweep(store, home, true).orphans.at(0).kept, "");
  EXPECT_FALSE(fs::exists(removed()));
}

TEST_F(GcTest, KnowsABackupThatFailedByItsCapture) {
  const auto capture = [&](const std::string& name) {
    write_file(dir.path() / "vmvault.json",
               R"({"time":"2001-01-01T00:00:00Z","capture":")" + name + R"("})", 0600);
  };
  auto failed = test_attempt(vm, 1);
  failed.capture = "0badcafe";
  store.fail(store.begin(failed), "killed");
  capture("0badf00d");  // another vmvault's, made just then
  EXPECT_EQ(sweep(store, home, true).orphans.at(0).kept, "it is of no backup that failed here");
  EXPECT_FALSE(fs::exists(removed()));
  capture("0badcafe");
  EXPECT_TRUE(sweep(store, home, true).orphans.at(0).removed);
}

TEST_F(GcTest, KeepsAllBesideWhatAnotherStateHasStored) {
  auto failed = test_attempt(vm, 1);
  failed.capture = "0badcafe";
  store.fail(store.begin(failed), "interrupted");  // as a copy of the state from then knows
  names("aaaa000011112222\nbbbb0000\ncccc0000");
  const auto document = [&](const std::string& name, const std::string& capture) {
    write_file(dir.path() / (name + ".json"),
               R"({"time":"2001-01-01T00:00:00Z","capture":")" + capture + R"("})", 0600);
  };
  document("bbbb0000", "0badcafe");
  document("cccc0000", "0badf00d");
  action("downloader",
         "case $3 in *bbbb0000*) one=bbbb0000 ;; *) one=cccc0000 ;; esac\n"
         "[ $2 = domain.xml ] || exec cat '" +
             dir.path().string() +
             "'/$one.json\n"
             "exec cat '" +
             dir.path().string() + "'/domain.xml");
  const auto found = sweep(store, home, true);
  ASSERT_EQ(found.orphans.size(), 2U);
  EXPECT_EQ(found.orphans.at(0).kept, "another state has backups beside it, which may need it");
  EXPECT_EQ(found.orphans.at(1).kept, "it is of no backup that failed here");
  EXPECT_FALSE(fs::exists(removed()));
}

TEST_F(GcTest, KeepsAllWhenThereIsMoreThanBackupsHaveFailed) {
  names("aaaa000011112222\nbbbb0000\ncccc0000");
  auto found = sweep(store, home, true);
  ASSERT_EQ(found.orphans.size(), 2U);
  for (const auto& one : found.orphans) EXPECT_FALSE(one.kept.empty());
  EXPECT_FALSE(fs::exists(removed()));
  store.fail(begin(), "killed, too");
  found = sweep(store, home, true);
  EXPECT_TRUE(found.orphans.at(0).removed && found.orphans.at(1).removed);
}

TEST_F(GcTest, KeepsWhatAMergeThatWasCutOffHasMade) {
  names("aaaa000011112222\nbbbb0000 aaaa0000 aaab0000");
  const auto found = sweep(store, home, true);
  ASSERT_EQ(found.orphans.size(), 1U);
  EXPECT_NE(found.orphans[0].kept.find("'vmvault flatten 1' goes on with it"), std::string::npos)
      << found.orphans[0].kept;
  EXPECT_FALSE(fs::exists(removed()));
}

TEST_F(GcTest, RemovesWhatAMergeCouldNot) {
  names("aaaa000011112222 cccc0000 dddd0000\nbbbb0000\ncccc0000\ndddd000011112222");
  const auto found = sweep(store, home, true);
  ASSERT_EQ(found.orphans.size(), 3U);
  for (const auto& one : found.orphans) EXPECT_TRUE(one.removed) << one.name << one.kept;
}

TEST_F(GcTest, LeavesAMachineAloneThatIsWorkedOn) {
  begin();
  auto found = sweep(store, home, true);
  EXPECT_TRUE(found.orphans.empty());
  EXPECT_EQ(found.problems.size(), 1U);
  store.fail(store.unfinished(vm).at(0).id, "x");
  const auto lock = FileLock::try_lock(home.vm_dir("u0") / "cli.lock");
  EXPECT_EQ(sweep(store, home, true).problems.size(), 1U);
  EXPECT_FALSE(fs::exists(removed()));
}

TEST_F(GcTest, AnImageThatIsHalfDeletedIsNoOrphan) {
  store.mark_deleting(1);
  names("aaaa000011112222");
  EXPECT_EQ(sweep(store, home, true).problems.size(), 1U);
}

TEST_F(GcTest, WhatCannotBeRemovedIsSaid) {
  action("rm", "echo 'the server is gone' >&2; exit 1");
  const auto found = sweep(store, home, true);
  EXPECT_FALSE(found.orphans.at(0).removed);
  ASSERT_EQ(found.problems.size(), 1U);
  EXPECT_NE(found.problems[0].find("the server is gone"), std::string::npos);
}

}  // namespace
}  // namespace state
