// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/settle.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"
#include "drivers/lib/driver_record.h"

namespace state {
namespace {

class SettleTest : public testing::Test {
 protected:
  SettleTest() {
    home.prepare();
    store.emplace(home.database());
    store->put_datastore({.id = 100, .name = "default", .ds_mad = "restic"});
    vm = store->vm_for("u1", "web").id;
    home.prepare_vm(vm, "u1");
    std::filesystem::create_directories(records());
  }

  std::filesystem::path records() const { return home.var() / "mad/kvm"; }

  std::int64_t begin(bool service) {
    Attempt attempt;
    attempt.vm = vm;
    attempt.datastore = 100;
    attempt.disks = {0};
    attempt.mode = Mode::increment;
    attempt.service = service;
    return store->begin(attempt);
  }

  bool waits() const {
    const auto text = read_file(home.vm_link(vm).string() + ".xml");
    return text.find("<LCM_STATE>69</LCM_STATE>") != text.npos;
  }

  TempDir dir;
  Home home{dir.path() / "var"};
  std::optional<Store> store;
  int vm = -1;
};

TEST_F(SettleTest, FindsTheAnswerThatTheServicesDriverHas) {
  begin(true);
  note_waiting(home, vm, true);
  EXPECT_TRUE(waits());
  front::Record::make(records(), vm)
      .finish("BACKUP SUCCESS " + std::to_string(vm) + " aaaa0000 3 raw\n");
  front::Record::make(records(), vm + 1).finish("BACKUP SUCCESS 1 bbbb0000 3 raw\n");
  EXPECT_TRUE(driver_knows(home, vm));
  const auto settled = settle(*store, home, vm);
  ASSERT_EQ(settled.size(), 1U);
  EXPECT_TRUE(settled[0].stored);
  EXPECT_EQ(store->image(1)->chain().text(), "0:aaaa0000");
  EXPECT_TRUE(store->unfinished().empty());
  EXPECT_FALSE(waits());
  EXPECT_FALSE(driver_knows(home, vm)) << "nobody waits for it any more";
  EXPECT_TRUE(settle(*store, home, vm).empty());
}

TEST_F(SettleTest, LeavesWhatStillRuns) {
  begin(true);
  const auto record = front::Record::make(records(), vm);
  const auto keeper = record.try_lock();
  EXPECT_THROW(settle(*store, home, vm), Error);
  EXPECT_EQ(store->unfinished().size(), 1U);
}

TEST_F(SettleTest, WhatHasNoGoodAnswerHasFailed) {
  for (const char* line : {"", "BACKUP FAILURE 1 no space\n", "BACKUP SUCCESS 1 -\n", "nonsense"}) {
    begin(true);
    const auto record = front::Record::make(records(), vm);
    if (*line) record.finish(line);
    const auto settled = settle(*store, home, vm);
    ASSERT_EQ(settled.size(), 1U);
    EXPECT_FALSE(settled[0].stored) << line;
    EXPECT_EQ(store->last_attempt(vm)->error, "interrupted");
  }
  EXPECT_TRUE(store->images().empty());
}

TEST_F(SettleTest, AnOlderAnswerIsNotTheNextOnes) {
  front::Record::make(records(), vm).finish("BACKUP SUCCESS 1 aaaa0000 3 raw\n");
  note_waiting(home, vm, true);
  EXPECT_FALSE(driver_knows(home, vm));
  begin(true);
  EXPECT_FALSE(settle(*store, home, vm).at(0).stored);
}

TEST_F(SettleTest, DoesNotTakeTheServicesAnswerForTheCommands) {
  begin(false);
  front::Record::make(records(), vm).finish("BACKUP SUCCESS 1 aaaa0000 3 raw\n");
  EXPECT_FALSE(settle(*store, home, vm).at(0).stored);
  const auto id = begin(false);
  write_file(home.vm_link(vm) / ("backup.reply." + std::to_string(id)), "bbbb0000 3 raw\n");
  EXPECT_TRUE(settle(*store, home, vm).at(0).stored);
  EXPECT_EQ(store->image(1)->chain().text(), "0:bbbb0000");
}

}  // namespace
}  // namespace state
