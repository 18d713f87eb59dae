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
  answer("INCREMENT_FLATTEN", true, "7 1:cccc0001,2:aaaa1003");
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

}  // namespace
}  // namespace vmvaultd
