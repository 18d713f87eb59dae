// SPDX-License-Identifier: Apache-2.0
// What the service asks of its datastores.
#include "drivers/vmvaultd/lib/manager.h"
#include "drivers/vmvaultd/lib/test_manager.h"

namespace vmvaultd {
namespace {

TEST_F(ManagerTest, ADatastoreThatDoesNotAnswerIsNotUsedUntilItDoes) {
  datastores_answer = false;
  boot();
  machines(1);
  EXPECT_EQ(monitors, 1);
  EXPECT_EQ(preparing.size(), 1U) << "it has been asked just now";
  const int vm = prepare_all().at(0);
  ASSERT_TRUE(manager->next());
  EXPECT_LE(*manager->next(), now + 600);
  now += 599;
  advance();
  EXPECT_EQ(store.datastore(100)->error, "");
  now += 1;
  advance();
  EXPECT_EQ(store.datastore(100)->error, "it does not answer");
  EXPECT_NE(logged.find("datastore 100 cannot be used: it does not answer"), std::string::npos);
  stored(vm);
  for (int i = 0; i < 300; ++i) {
    now += 300;
    advance();
  }
  EXPECT_EQ(monitors, 1) << "each would take a place of the driver's";
  EXPECT_TRUE(preparing.empty());
  manager->datastore_answer({.verb = "MONITOR", .good = true, .id = 100, .info = ""}, now);
  advance();
  EXPECT_EQ(store.datastore(100)->error, "");
  EXPECT_EQ(preparing.size(), 1U);
  EXPECT_EQ(monitors, 1);
  now += 60;
  advance();
  EXPECT_EQ(monitors, 2) << "what it said may be old";
}

TEST_F(ManagerTest, ADatastoreThatIsSlowIsUsed) {
  datastores_answer = false;
  boot();
  machines(1);
  const int begun = monitors;
  for (int i = 0; i < 10; ++i) {
    now += 350;
    advance();
    manager->datastore_answer({.verb = "MONITOR", .good = true, .id = 100, .info = ""}, now);
    advance();
    EXPECT_EQ(store.datastore(100)->error, "");
    now += 60;
    advance();
    EXPECT_EQ(monitors, begun + 1 + i);
  }
}

TEST_F(ManagerTest, AnotherDriverIsAskedForWhatTheLastOneDidNotAnswer) {
  datastores_answer = false;
  boot();
  machines(1);
  manager->datastore_lost();
  now += 300;
  advance();
  EXPECT_EQ(monitors, 2);
  EXPECT_EQ(store.datastore(100)->error, "") << "it was the driver's";
  manager->datastore_ready(now);
  advance();
  EXPECT_EQ(monitors, 3);
  EXPECT_EQ(preparing.size(), 1U);
}

}  // namespace
}  // namespace vmvaultd
