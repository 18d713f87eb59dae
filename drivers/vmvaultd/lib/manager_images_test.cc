// SPDX-License-Identifier: Apache-2.0
#include "common/base64.h"
#include "drivers/vmvaultd/lib/test_manager.h"

namespace vmvaultd {
namespace {

class ManagerImagesTest : public ManagerTest {
 protected:
  // A machine with a chain of so many points, and the next request of its.
  int chain(int points) {
    boot();
    machines(1);
    int vm = -1;
    for (int i = 0; i < points; ++i) {
      vm = prepare_all().at(0);
      stored(vm);
      now += day;
      advance();
    }
    return vm;
  }
  void answer(const std::string& verb, bool good, const std::string& info) {
    manager->datastore_answer({.verb = verb, .good = good, .id = 1, .info = info}, now);
    advance();
  }
  // As many images of one full each.
  int fulls(int count) {
    const int vm = chain(1);
    for (int i = 1; i < count; ++i) full(vm);
    return vm;
  }
  void full(int vm) {
    store.forget_active(vm);
    prepare_all();
    stored(vm);
    now += day;
    advance();
  }
  // The next backup has ended, and what the rules say then waits for the command, which has the
  // machine meanwhile.
  FileLock stored_before_the_command(int vm) {
    manager->vmm_answer({.verb = "BACKUP", .good = true, .id = vm, .info = "aaaa9999 3 raw"}, now);
    auto lock = FileLock::try_lock(home.vm_dir("u0") / "cli.lock");
    asked.clear();
    advance();
    EXPECT_TRUE(asked.empty());
    return std::move(lock.value());
  }
  void after_the_command() {
    now += 61;
    advance();
  }
};

TEST_F(ManagerImagesTest, MergesWhatTheRulesDoNotKeepAndBacksUpAfterwards) {
  settings.keep.last = 2;
  const int vm = chain(2);
  asked.clear();
  EXPECT_EQ(prepare_all().size(), 1U);
  stored(vm);
  EXPECT_EQ(asked.back(), "INCREMENT_FLATTEN 1");
  EXPECT_NE(base64_decode(last_payload).find("<KEEP_LAST>2</KEEP_LAST>"), std::string::npos);
  EXPECT_EQ(store.image(1)->state, state::ImageState::locked);
  now += day;
  advance();
  EXPECT_TRUE(preparing.empty()) << "not while it is merged";
  const auto sums = home.var() / "merge.1";
  EXPECT_NE(base64_decode(last_payload).find("<SUMS>" + sums.string()), std::string::npos);
  std::filesystem::create_directory(sums / "cccc0001");
  write_file(sums / "cccc0001" / "sums.0.1", "of the merged one");
  answer("INCREMENT_FLATTEN", true, "7 1:cccc0001,2:aaaa1003");
  EXPECT_EQ(store.sums(1, 1).at(0).sums, "of the merged one");
  EXPECT_FALSE(std::filesystem::exists(sums));
  EXPECT_EQ(store.image(1)->chain().text(), "1:cccc0001,2:aaaa1003");
  EXPECT_EQ(store.image(1)->state, state::ImageState::ready);
  EXPECT_EQ(preparing.size(), 1U);
}

TEST_F(ManagerImagesTest, AFailedMergeChangesNothingAndDoesNotLock) {
  settings.keep.last = 1;
  const int vm = chain(1);
  prepare_all();
  stored(vm);
  ASSERT_EQ(asked.back(), "INCREMENT_FLATTEN 1");
  answer("INCREMENT_FLATTEN", true, "7 0:cccc0001,1:aaaa1002");
  EXPECT_EQ(store.image(1)->chain().text(), "0:aaaa1001,1:aaaa1002");
  EXPECT_EQ(store.image(1)->state, state::ImageState::ready);
  EXPECT_NE(store.image(1)->error, "");
  EXPECT_EQ(manager->busy(), 0U);
}

TEST_F(ManagerImagesTest, WhatAnImageWaitedForIsAskedForAgainAfterARestart) {
  settings.keep.last = 1;
  const int vm = chain(1);
  prepare_all();
  stored(vm);
  datastore_is_ready = false;
  boot();
  advance();
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(manager->busy(), 1U);
  datastore_is_ready = true;
  manager->datastore_ready(now);
  EXPECT_EQ(asked, (Strings{"INCREMENT_FLATTEN 1"}));
  answer("INCREMENT_FLATTEN", true, "7 1:cccc0001");
  EXPECT_EQ(store.image(1)->chain().text(), "1:cccc0001");
  EXPECT_EQ(manager->busy(), 0U);
}

TEST_F(ManagerImagesTest, ADeleteGoesOnUntilItIsDone) {
  chain(1);
  prepare_all();
  store.mark_deleting(1);  // by a command that was killed then
  boot();
  manager->vmm_ready(now);
  advance();
  EXPECT_TRUE(store.image(1)->half_deleted());
  ASSERT_EQ(asked, (Strings{"RM 1"}));
  answer("RM", false, "locked by root@kvm1");
  EXPECT_EQ(store.image(1)->state, state::ImageState::error);
  boot();
  advance();
  EXPECT_EQ(asked, (Strings{"RM 1"}));
  answer("RM", true, "-");
  EXPECT_FALSE(store.image(1));
}

TEST_F(ManagerImagesTest, AForcedDeleteEndsWhateverItsStoreSays) {
  const int vm = chain(1);
  prepare_all();
  stored(vm);
  store.mark_deleting(1, true);
  store.mark_deleting(1);
  boot();
  advance();
  answer("RM", false, "no route to host");
  EXPECT_FALSE(store.image(1));
  EXPECT_EQ(manager->busy(), 0U);
}

TEST_F(ManagerImagesTest, AMachineThatIsGoneKeepsItsBackups) {
  const int vm = chain(1);
  manager->machines(host, std::vector<Machine>{}, now);
  advance();
  EXPECT_TRUE(manager->scheduler().state().vms.empty());
  EXPECT_EQ(store.image(1)->vm, vm);
  manager->machines(host, std::nullopt, now);
  EXPECT_FALSE(pools.hosts().at(0).host.up);
}

TEST_F(ManagerImagesTest, AMachineThatIsGoneKeepsItsOtherBackupsWhenOneIsDeleted) {
  const int vm = fulls(3);
  manager->machines(host, std::vector<Machine>{}, now);
  store.mark_deleting(1);
  settings.keep.last = 1;
  boot();
  advance();
  EXPECT_EQ(asked, (Strings{"RM 1"})) << "begun before, and nothing else";
  answer("RM", true, "-");
  manager->images_changed(vm);
  advance();
  EXPECT_EQ(asked, (Strings{"RM 1"}));
  EXPECT_EQ(store.images().size(), 2U);
}

TEST_F(ManagerImagesTest, APointThatTheCommandHasAddedMergesNoOtherThanTheRulesSay) {
  settings.keep.daily = 2;
  const int vm = chain(2);
  prepare_all();
  {
    const auto lock = stored_before_the_command(vm);
    const auto attempt = store.begin(state::test_increment(vm, now + 1, 1, 3));
    store.succeed(attempt, {.id = 3, .source = "bbbb0003", .date = now + 1, .dir = "/d"});
  }
  after_the_command();
  ASSERT_EQ(asked, (Strings{"INCREMENT_FLATTEN 1"}));
  EXPECT_NE(base64_decode(last_payload).find("<KEEP_LAST>3</KEEP_LAST>"), std::string::npos)
      << "that of the day before is the second of four";
}

TEST_F(ManagerImagesTest, AnImageStaysWhenTheNewerOneIsFoundCorrupt) {
  settings.keep.last = 1;
  const int vm = chain(1);
  store.forget_active(vm);
  prepare_all();
  {
    const auto lock = stored_before_the_command(vm);
    store.note_check(2, 0, std::nullopt, "disk 0: its bytes are others");
  }
  after_the_command();
  EXPECT_TRUE(asked.empty());
  EXPECT_TRUE(store.image(1)->error.empty() && !store.image(1)->half_deleted());
}

TEST_F(ManagerImagesTest, ABackupIsNotDeletedWhileSomethingIsRestoredFromIt) {
  settings.keep.last = 1;
  const int vm = chain(1);
  state::Restores restores{store};
  const int disk = restores.add(
      state::DiskImage{.name = "web-disk-0", .datastore = 100, .origin = {1, 0, 0}}, dir.path());
  store.forget_active(vm);
  prepare_all();
  asked.clear();
  stored(vm);
  EXPECT_TRUE(asked.empty()) << asked.front();
  const std::string size = "8\n";
  manager->fetched("disk", disk, &size, "");
  advance();
  EXPECT_EQ(asked, (Strings{"RM 1"}));
}

TEST_F(ManagerImagesTest, WhereNobodyCanTellWhetherItIsReadItStaysAndTheLogSaysWhy) {
  const int vm = fulls(1);
  store.forget_active(vm);
  prepare_all();
  stored(vm);
  settings.keep.last = 1;
  std::filesystem::create_directory(home.var() / "reading.lock");
  boot();
  advance();
  now += 61;
  advance();
  EXPECT_TRUE(asked.empty());
  const auto said = logged.find("reading.lock");
  EXPECT_NE(said, std::string::npos) << logged;
  EXPECT_EQ(logged.find("reading.lock", said + 1), std::string::npos) << "once";
  EXPECT_EQ(logged.find("is being read"), std::string::npos);
  std::filesystem::remove(home.var() / "reading.lock");
  now += 61;
  advance();
  EXPECT_EQ(asked.size(), 1U);
}

TEST_F(ManagerImagesTest, WhatIsBeingReadIsDeletedLaterAndHoldsUpNoOther) {
  const int vm = fulls(3);
  store.forget_active(vm);
  prepare_all();
  stored(vm);
  settings.keep.last = 1;
  auto reading = std::optional{state::Reading::ours(home, 1)};
  boot();
  advance();
  for (const unsigned times : {1U, 2U}) {
    ASSERT_EQ(asked.size(), times);
    const int image = std::stoi(asked.back().substr(3));
    EXPECT_NE(image, 1);
    manager->datastore_answer({.verb = "RM", .good = true, .id = image, .info = "-"}, now);
    advance();
  }
  now += 61;
  advance();
  EXPECT_EQ(asked.size(), 2U);
  EXPECT_EQ(store.image(1)->state, state::ImageState::ready);
  EXPECT_EQ(store.images().size(), 2U);
  const auto said = logged.find("image 1 is being read");
  EXPECT_NE(said, std::string::npos);
  EXPECT_EQ(logged.find("image 1 is being read", said + 1), std::string::npos) << "once";
  reading.reset();
  now += 61;
  advance();
  EXPECT_EQ(asked.back(), "RM 1");
}

}  // namespace
}  // namespace vmvaultd
