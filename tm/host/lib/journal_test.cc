// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/journal.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"
#include "tm/host/lib/recover.h"

namespace host {
namespace {

Journal sample(const TempDir& dir) {
  Journal out;
  out.run = "0a1b2c3d";
  out.host_uuid = "0f2e";
  out.boot_id = boot_id();
  out.pid = 4711;
  out.vm_id = 12;
  out.domain = "23401b18-2886-42e0-8639-73a62b52342b";
  out.libvirt_uri = "qemu:///system";
  out.backup_dir = dir.path() / "backup";
  out.scratch = {dir.path() / "tmp/vmvault-x.scratch", dir.path() / "tmp/vmvault-x.sock"};
  return out;
}

}  // namespace

TEST(Journal, ReadsWhatItWrote) {
  const TempDir dir;
  Journal one = sample(dir);
  one.thaw_owed = Freeze::suspend;
  one.job_begun = true;
  one.at_rest = true;
  one.snapshots = {{.image = rbd::parse_image("one/t/one-7"), .name = "one_backup_3"}};
  one.snapshots[0].image.user = "libvirt";
  one.snapshots[0].image.key_file = "/etc/ceph/key";
  one.volumes = {{.origin = lvm::parse_volume("vg-one-0/lv-one-7-0"),
                  .pool = "lv-one-7-pool",
                  .name = "lv-one-7-0_one_backup_3",
                  .keep = true},
                 {.origin = lvm::parse_volume("vg-one-0/lv-one-7-1"),
                  .pool = "",
                  .name = "lv-one-7-1",
                  .keep = true}};
  one.save(dir.path());
  const auto read = Journal::load(dir.path());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->to_text(), one.to_text());
  EXPECT_EQ(read->snapshots.at(0).image, one.snapshots.at(0).image);
  Journal::remove(dir.path());
  EXPECT_FALSE(Journal::load(dir.path()));
  Journal::remove(dir.path());  // twice does no harm
}

TEST(Journal, OfAnOlderVersionDoesNotSayWhyTheGuestWasPaused) {
  const TempDir dir;
  Journal one = sample(dir);
  for (const bool paused : {false, true}) {
    one.was_paused = paused;
    std::string text = one.to_text();
    const std::string line = " \"had_io_error\": false,\n";
    ASSERT_NE(text.find(line), text.npos);
    text.erase(text.find(line), line.size());
    EXPECT_EQ(Journal::parse(text).had_io_error, paused);
  }
}

TEST(Journal, ThatIsDamagedIsAnErrorAndStays) {
  const TempDir dir;
  write_file(dir.path() / "backup.journal", "{\"version\": 1}");
  EXPECT_THROW(pay_debts(dir.path()), Error);
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "backup.journal"));
}

TEST(Journal, ThatNamesForeignSnapshotsIsNotCarriedOut) {
  const TempDir dir;
  Journal one = sample(dir);
  one.snapshots = {{.image = rbd::parse_image("one/one-7"), .name = "precious"}};
  one.save(dir.path());
  EXPECT_THROW(Journal::load(dir.path()), Error);
  one.snapshots[0].name = "one_backup";
  auto text = one.to_text();
  text.replace(text.find("one/one-7"), 9, "one@one-7");
  EXPECT_THROW(Journal::parse(text), Error);
}

TEST(Journal, SaysWhetherOnlySnapshotsAreLeft) {
  const TempDir dir;
  Journal one = sample(dir);
  one.snapshots = {{.image = rbd::parse_image("one/one-7"), .name = "one_backup"}};
  EXPECT_FALSE(one.only_snapshots());
  one.backup_dir.clear();
  one.scratch.clear();
  EXPECT_TRUE(Journal::parse(one.to_text()).only_snapshots());
  one.thaw_owed = Freeze::agent;
  EXPECT_FALSE(one.only_snapshots());
  one.thaw_owed = Freeze::none;
  one.volumes = {{.origin = lvm::parse_volume("vg/lv"), .pool = "pool", .name = "lv_one_backup"}};
  EXPECT_FALSE(one.only_snapshots());
  one.volumes.clear();
  one.snapshots.clear();
  EXPECT_FALSE(one.only_snapshots());
}

TEST(Journal, ThatNamesForeignVolumesIsNotCarriedOut) {
  const TempDir dir;
  Journal one = sample(dir);
  const auto origin = lvm::parse_volume("vg-one-0/lv-one-7-0");
  const auto expect_refused = [&](const std::string& pool, const std::string& name, bool keep) {
    one.volumes = {{.origin = origin, .pool = pool, .name = name, .keep = keep}};
    EXPECT_THROW(Journal::parse(one.to_text()), Error) << name;
  };
  expect_refused("pool", "lv-one-7-0", false);  // the guest's own would be removed
  expect_refused("pool", "lv-one-7-0", true);
  expect_refused("", "lv-one-7-0", false);
  expect_refused("pool", "lv-one-7-0_s1", false);
  expect_refused("pool", "lv-one-8-0_one_backup", false);
  expect_refused("pool", "lv-one-7-0_one_backup_x", false);
  expect_refused("po ol", "lv-one-7-0_one_backup", false);
  one.volumes = {
      {.origin = origin, .pool = "pool", .name = "lv-one-7-0_one_backup", .keep = false}};
  EXPECT_EQ(Journal::parse(one.to_text()).volumes.at(0).volume().name, "lv-one-7-0_one_backup");
}

TEST(Journal, ThatNamesForeignFilesIsNotCarriedOut) {
  const TempDir dir;
  write_file(dir.path() / "precious", "x");
  Journal one = sample(dir);
  one.scratch = {dir.path() / "precious"};
  one.save(dir.path());
  EXPECT_THROW(pay_debts(dir.path()), Error);
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "precious"));
  one = sample(dir);
  one.backup_dir = dir.path();
  one.save(dir.path());
  EXPECT_THROW(pay_debts(dir.path()), Error);
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "precious"));
}

TEST(PayDebts, RemovesWhatADeadBackupLeftWhenTheGuestIsOwedNothing) {
  const TempDir dir;
  const Journal one = sample(dir);
  std::filesystem::create_directories(dir.path() / "tmp");
  std::filesystem::create_directories(dir.path() / "backup");
  write_file(dir.path() / "tmp/vmvault-x.scratch", "x");
  write_file(dir.path() / "tmp/overlay_0.qcow2", "not ours");
  write_file(dir.path() / "backup/disk.0.0", "half");
  one.save(dir.path());
  pay_debts(dir.path());
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "tmp/vmvault-x.scratch"));
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "tmp/overlay_0.qcow2"));
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "backup"));
  EXPECT_FALSE(Journal::load(dir.path()));
  pay_debts(dir.path());
}

TEST(PayDebts, KeepsTheJournalWhileTheGuestCannotBeReached) {
  const TempDir dir;
  Journal one = sample(dir);
  one.libvirt_uri = "qemu+unix:///system?socket=" + (dir.path() / "none").string();
  one.thaw_owed = Freeze::agent;
  one.save(dir.path());
  EXPECT_THROW(pay_debts(dir.path()), Error);
  EXPECT_TRUE(Journal::load(dir.path()));
}

}  // namespace host
