// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/desk.h"

#include "drivers/vmvaultd/lib/test_desk.h"

namespace vmvaultd {
namespace {

TEST_F(DeskTest, ABackupHeedsTheLimits) {
  const int vm = idle_machines(3);
  for (int i = 0; i < 3; ++i) desk->backup(vm + i, -1, false);
  advance();
  EXPECT_EQ(preparing, (std::vector{vm, vm + 1}));
  EXPECT_THROW(desk->backup(vm, -1, false), WrongState) << "it runs";
  EXPECT_THROW(desk->backup(1, -1, false), NoSuchObject);
  EXPECT_THROW(desk->backup(vm + 2, 999, false), NoSuchObject);
  prepare_all();
  stored(vm);
  EXPECT_EQ(preparing, (std::vector{vm + 2}));
}

TEST_F(DeskTest, CancelsWhatWaits) {
  const int vm = idle_machines(3);
  for (int i = 0; i < 3; ++i) desk->backup(vm + i, -1, false);
  advance();
  desk->cancel(vm + 2);
  EXPECT_TRUE(manager->scheduler().waits().empty());
  EXPECT_THROW(desk->cancel(vm + 2), WrongState);
}

TEST_F(DeskTest, CancelsWhatRuns) {
  const int vm = idle_machines(1);
  desk->backup(vm, -1, false);
  advance();
  prepare_all();
  desk->cancel(vm);
  EXPECT_EQ(asked, (Strings{backup_of(vm), cancel_of(vm)}));
  manager->vmm_answer({.verb = "BACKUP", .good = false, .id = vm, .info = "Backup cancelled"}, now);
  advance();
  EXPECT_EQ(manager->busy(), 0U);
  EXPECT_TRUE(store.last_attempt(vm)->cancelled);
  EXPECT_TRUE(manager->scheduler().waits().empty()) << "it is not tried again";
}

TEST_F(DeskTest, ACancelThatComesTooLateIsABackup) {
  const int vm = idle_machines(1);
  desk->backup(vm, -1, false);
  advance();
  prepare_all();
  desk->cancel(vm);
  stored(vm);
  EXPECT_EQ(store.images().size(), 1U);
}

TEST_F(DeskTest, ACancelOutlivesTheServiceAndTheDriver) {
  const int vm = idle_machines(1);
  desk->backup(vm, -1, false);
  advance();
  prepare_all();
  driver_has(vm);
  vmm_is_ready = false;
  desk->cancel(vm);
  reboot();
  vmm_is_ready = true;
  manager->vmm_ready(now);
  EXPECT_EQ(asked, (Strings{cancel_of(vm)}));
}

TEST_F(DeskTest, ACancelBeforeTheDriverHasItIsTheEnd) {
  const int vm = idle_machines(1);
  desk->backup(vm, -1, false);
  advance();
  vmm_is_ready = false;
  prepare_all();
  desk->cancel(vm);
  vmm_is_ready = true;
  manager->vmm_ready(now);
  advance();
  EXPECT_TRUE(asked.empty());
  EXPECT_TRUE(preparing.empty());
  EXPECT_EQ(store.unfinished().size(), 0U);
}

TEST_F(DeskTest, ACancelWhileItIsPreparedIsTheEnd) {
  const int vm = idle_machines(1);
  desk->backup(vm, -1, false);
  advance();
  desk->cancel(vm);
  EXPECT_TRUE(manager->scheduler().waits().empty());
  desk->backup(vm, -1, false);
  advance();
  EXPECT_EQ(preparing.size(), 1U) << "the one before has still the machine";
  prepare_all();
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(store.unfinished().size(), 0U);
  advance();
  EXPECT_EQ(prepare_all().size(), 1U) << "the new one";
  EXPECT_EQ(asked, (Strings{backup_of(vm)}));
}

TEST_F(DeskTest, DeletesAnImageAlsoAfterARestart) {
  const int vm = idle_machines(1);
  back_up(vm);
  desk->protect(1, true);
  EXPECT_THROW(desk->delete_image(1), WrongState);
  desk->protect(1, false);
  desk->backup(vm, -1, false);
  advance();
  EXPECT_THROW(desk->delete_image(1), WrongState) << "its next increment is being made";
  prepare_all();
  stored(vm);
  desk->delete_image(1);
  EXPECT_EQ(store.image(1)->state, state::ImageState::deleting);
  reboot();
  advance();
  EXPECT_EQ(asked, (Strings{"RM 1"}));
  answer("RM", true, 1, "-");
  EXPECT_TRUE(store.images().empty());
  EXPECT_THROW(desk->delete_image(1), NoSuchObject);
}

TEST_F(DeskTest, FlattensAnImage) {
  const int vm = idle_machines(1);
  for (int i = 0; i < 3; ++i) back_up(vm);
  EXPECT_THROW(desk->flatten(1, 3), WrongState);
  EXPECT_THROW(desk->flatten(1, 0), BadRequest);
  store.note_check(1, 1, std::nullopt, "disk 0: its bytes are others");
  EXPECT_THROW(desk->flatten(1, 2), WrongState) << "nothing would tell of it any more";
  store.note_check(1, 1, std::nullopt, "");
  desk->flatten(1, 2);
  EXPECT_THROW(desk->flatten(1, 2), WrongState);
  EXPECT_THROW(desk->delete_image(1), WrongState);
  advance();
  EXPECT_EQ(asked.back(), "INCREMENT_FLATTEN 1");
  const auto chain = store.image(1)->chain().increments();
  answer("INCREMENT_FLATTEN", true, 1, "9 1:bbbb0000," + std::string{"2:"} + chain[2].source);
  EXPECT_EQ(store.image(1)->increments.size(), 2U);
}

TEST_F(DeskTest, WhatIsBeingReadIsNeitherDeletedNorMerged) {
  const int vm = idle_machines(1);
  for (int i = 0; i < 2; ++i) back_up(vm);
  {
    const auto reading = state::Reading::ours(home, 1);
    EXPECT_THROW(desk->delete_image(1), WrongState);
    EXPECT_THROW(desk->delete_image(1, true), WrongState);
    EXPECT_THROW(desk->flatten(1, 1), WrongState);
  }
  EXPECT_EQ(store.image(1)->state, state::ImageState::ready);
  desk->flatten(1, 1);
  EXPECT_EQ(store.image(1)->state, state::ImageState::locked);
}

TEST_F(DeskTest, AFileThatCannotBeLockedIsNoReasonToEnd) {
  back_up(idle_machines(1));
  std::filesystem::create_directory(home.var() / "reading.lock");
  EXPECT_THROW(desk->delete_image(1), WrongState);
}

}  // namespace
}  // namespace vmvaultd
