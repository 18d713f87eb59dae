// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/simulator.h"

#include <gtest/gtest.h>

#include "drivers/vmvaultd/lib/test_zone.h"

namespace vmvaultd {
namespace {

class SimulatorTest : public testing::Test {
  ScopedZone zone_{"UTC"};
};

// 1 % of the cloud that `make simulate` has, for four days.
Load small_load() {
  return {.seed = 5,
          .vms = 1000,
          .hosts = 20,
          .jobs = 12,
          .datastores = 3,
          .limits = {.all = 12, .host = 2, .datastore = 5},
          .length = 4 * day,
          .manual_per_day = 20,
          .restarts = 12};
}

TEST_F(SimulatorTest, OurSchedulerKeepsItsPromisesThroughOutagesFailuresAndRestarts) {
  const Cloud cloud{small_load()};
  const auto report = simulate(cloud, our_core);
  EXPECT_EQ(report.over_all, 0U);
  EXPECT_EQ(report.over_host, 0U);
  EXPECT_EQ(report.over_datastore, 0U);
  EXPECT_EQ(report.over_vm, 0U);
  EXPECT_EQ(report.over_job, 0U);
  EXPECT_EQ(report.outside, 0U);
  EXPECT_EQ(report.unexplained, 0U);
  EXPECT_EQ(report.never, 0U);
  EXPECT_EQ(report.avoidable(), 0U);
  EXPECT_LT(report.quantile_wait(1), 2 * day);
  // And there was something to keep them in.
  EXPECT_GT(report.good, 2000U);
  EXPECT_GT(report.failed, 20U);
  EXPECT_GT(report.cut, 0U);
  EXPECT_GT(report.gaps.size(), 5U);
  EXPECT_GT(report.asked_why, 10U);
}

TEST_F(SimulatorTest, GivesTheSameForTheSameSeed) {
  const Cloud cloud{small_load()};
  const auto first = simulate(cloud, our_core), second = simulate(cloud, our_core);
  EXPECT_EQ(first.waits, second.waits);
  EXPECT_EQ(first.good, second.good);
}

// It would not notice a broken promise if it could not find one.
TEST_F(SimulatorTest, SeesThatTheStockAlgorithmKnowsNoLimitOfDatastores) {
  const Cloud cloud{small_load()};
  const auto report = simulate(cloud, stock_core);
  EXPECT_GT(report.over_datastore, 0U);
  EXPECT_EQ(report.over_vm, 0U);
  EXPECT_EQ(report.over_job, 0U);
}

}  // namespace
}  // namespace vmvaultd
