// SPDX-License-Identifier: Apache-2.0
// Hosts on which nothing begins.
#include "drivers/vmvaultd/lib/test_scheduler.h"

namespace vmvaultd {
namespace {

using Status = Host::Status;

TEST_F(SchedulerTest, KnowsHostsAndMachinesThatAreGone) {
  Scheduler core{cloud(), now};
  core.remove_host(1);
  want(core, {1, 3});
  EXPECT_EQ(started(core, now), (Ids{3}));
  EXPECT_EQ(why(core, 1), "VM 1 waits for host 1, which does not exist");
  core.remove_vm(1);
  core.remove_vm(3);  // its backup runs, and counts
  EXPECT_TRUE(core.waits().empty());
  EXPECT_EQ(core.running(), 1U);
  Scheduler again{core.state(), now};
  EXPECT_EQ(again.running(), 1U);
  again.finished(3, Outcome::good, "", now + 5);
  EXPECT_EQ(again.running(), 0U);
  EXPECT_TRUE(again.state().requests.empty());
  EXPECT_EQ(again.state().vms.size(), 6U);
}

TEST_F(SchedulerTest, BeginsNothingOnAHostThatIsDisabledOrOffline) {
  Scheduler core{cloud(), now};
  want(core, {1});
  EXPECT_EQ(started(core, now), (Ids{1}));
  core.put(Host{.id = 1, .status = Status::disabled});
  core.put(Host{.id = 2, .up = false, .status = Status::offline});
  want(core, {2, 3, 5}, 100, 99);
  EXPECT_EQ(started(core, now), (Ids{5})) << "it holds up nobody else";
  EXPECT_EQ(why(core, 2), "VM 2 waits for host 1, which is disabled");
  EXPECT_EQ(core.waits(2).at(0).cause, Cause::host_disabled);
  EXPECT_EQ(why(core, 3), "VM 3 waits for host 2, which is offline");
  EXPECT_EQ(core.running(), 2U) << "what runs there goes on";
  core.finished(1, Outcome::good, "", now + 1);
  EXPECT_EQ(started(core, now + 1), (Ids{}));

  Scheduler again{core.state(), now + 2};
  EXPECT_EQ(started(again, now + 2), (Ids{}));
  again.put(Host{.id = 1});
  again.put(Host{.id = 2, .up = false});
  EXPECT_EQ(started(again, now + 2), (Ids{2}));
  EXPECT_EQ(why(again, 3), "VM 3 waits for host 2, which is down");
}

TEST_F(SchedulerTest, TakesTheOthersOfAJobWhoseHostIsDisabled) {
  auto state = cloud();
  state.hosts[0].status = Status::disabled;
  state.jobs = {{.id = 1, .vms = {1, 3, 5}, .datastore = 100}};
  Scheduler core{state, now};
  core.execute(1, now);
  EXPECT_EQ(started(core, now), (Ids{3}));
  core.finished(3, Outcome::good, "", now + 1);
  EXPECT_EQ(started(core, now + 1), (Ids{5}));
  core.finished(5, Outcome::good, "", now + 2);
  EXPECT_EQ(core.job_states(1),
            (std::vector{JobState::outdated, JobState::updated, JobState::updated}));
  auto moved = core.state().vms[0];
  moved.host = 2;
  core.put(moved);
  EXPECT_EQ(started(core, now + 3), (Ids{1})) << "where it is now";
}

TEST_F(SchedulerTest, SaysWhyAnRpoIsMissedOnAHostThatIsDisabled) {
  auto state = cloud();
  state.hosts[0].status = Status::disabled;
  state.vms[0].rpo = 8 * hour;
  state.vms[0].datastore = 100;
  Scheduler core{state, now};
  const auto near = core.advance(now + 6 * hour);
  EXPECT_TRUE(near.starts.empty());
  ASSERT_EQ(near.notices.size(), 1U);
  EXPECT_EQ(near.notices[0].text,
            "VM 1: will miss its RPO at 2026-09-28 20:00, it has no backup yet, and it is on "
            "host 1, which is disabled");
  EXPECT_EQ(core.advance(now + 8 * hour).notices.at(0).kind, Notice::Kind::rpo_missed);
}

}  // namespace
}  // namespace vmvaultd
