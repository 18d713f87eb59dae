// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/scheduler.h"

#include "common/error.h"
#include "drivers/vmvaultd/lib/test_scheduler.h"

namespace vmvaultd {
namespace {

TEST_F(SchedulerTest, HoldsEveryLimitForManualBackupsToo) {
  Scheduler core{cloud({.all = 3, .host = 1, .datastore = 2}), now};
  want(core, {1, 2, 3, 5});
  want(core, {7}, 101);
  EXPECT_EQ(started(core, now), (Ids{1, 3, 7}));
  EXPECT_EQ(why(core, 2), "VM 2 waits for host 1, which makes 1 backup (MAX_BACKUPS_HOST)");
  EXPECT_EQ(why(core, 5),
            "VM 5 waits for datastore 100, which takes 2 backups (MAX_BACKUPS_DATASTORE)");
  core.finished(3, Outcome::good, "", now + 60);
  EXPECT_EQ(started(core, now + 60), (Ids{5}));
}

TEST_F(SchedulerTest, TakesZeroForNoLimit) {
  Scheduler core{cloud(), now};
  want(core, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(started(core, now).size(), 8U);
  EXPECT_EQ(core.next(), now + Policy{}.patience);
  EXPECT_THROW(core.set({.limits = {.all = -1}}), BadRequest);
}

TEST_F(SchedulerTest, LetsABusyHostHoldUpNobodyElse) {
  Scheduler core{cloud({.all = 0, .host = 1, .datastore = 0}), now};
  want(core, {1, 2, 3});
  EXPECT_EQ(started(core, now), (Ids{1, 3}));
}

TEST_F(SchedulerTest, WaitsForBackupsThatRunWhenALimitIsLowered) {
  Scheduler core{cloud(), now};
  want(core, {1, 3, 5});
  EXPECT_EQ(started(core, now).size(), 3U);
  core.set({.limits = {.all = 2, .host = 0, .datastore = 0}});
  want(core, {7});
  EXPECT_TRUE(started(core, now).empty());
  core.finished(1, Outcome::good, "", now + 1);
  EXPECT_TRUE(started(core, now + 1).empty());
  EXPECT_EQ(why(core, 7), "VM 7 waits for its turn: 2 backups run (MAX_BACKUPS)");
  core.finished(3, Outcome::good, "", now + 2);
  EXPECT_EQ(started(core, now + 2), (Ids{7}));
}

TEST_F(SchedulerTest, PrefersPriorityUntilPatienceEnds) {
  Scheduler core{cloud({.all = 1, .host = 0, .datastore = 0}), now};
  want(core, {1});
  EXPECT_EQ(started(core, now), (Ids{1}));
  core.backup(2, 100, false, 0, now);
  core.backup(3, 100, false, 99, now + 16 * hour);  // 99 points are worth 16.5 hours
  core.backup(4, 100, false, 99, now + 17 * hour);
  core.finished(1, Outcome::good, "", now + 17 * hour);
  EXPECT_EQ(started(core, now + 17 * hour), (Ids{3}));
  core.finished(3, Outcome::good, "", now + 24 * hour);
  EXPECT_EQ(started(core, now + 24 * hour), (Ids{2}));
}

TEST_F(SchedulerTest, TakesASequentialJobInItsOrderAndPassesOverWhoCannotStart) {
  auto state = cloud({.all = 0, .host = 1, .datastore = 0});
  state.jobs = {{.id = 7, .vms = {5, 1, 3}, .datastore = 100}};
  Scheduler core{state, now};
  core.put(Host{.id = 3, .up = false});
  core.execute(7, now);
  EXPECT_EQ(started(core, now), (Ids{1}));
  EXPECT_EQ(why(core, 5), "VM 5 waits for host 3, which is down");
  EXPECT_EQ(why(core, 3), "VM 3 waits for job 7, which backs up one VM at a time");
  EXPECT_THROW(core.execute(7, now), BadRequest);
  core.put(Host{.id = 3});
  core.finished(1, Outcome::good, "", now + 1);
  EXPECT_EQ(started(core, now + 1), (Ids{5}));
  core.finished(5, Outcome::good, "", now + 2);
  EXPECT_EQ(started(core, now + 2), (Ids{3}));
  core.finished(3, Outcome::cancelled, "", now + 9);
  const auto job = core.state().jobs[0];
  EXPECT_EQ(job.last_duration, 9);
  core.retry(7, now + 10);
  EXPECT_EQ(started(core, now + 10), (Ids{3}));
}

TEST_F(SchedulerTest, GivesJobsOfOnePriorityTheirTurns) {
  auto state = cloud({.all = 4, .host = 0, .datastore = 0});
  state.jobs = {{.id = 1, .vms = {1, 2, 3, 4}, .datastore = 100},
                {.id = 2, .vms = {5, 6, 7, 8}, .datastore = 100}};
  for (auto& job : state.jobs) job.execution = Job::Execution::parallel;
  Scheduler core{state, now};
  core.execute(1, now);
  core.execute(2, now);
  EXPECT_EQ(started(core, now), (Ids{1, 5, 2, 6}));
}

TEST_F(SchedulerTest, RepeatsWhatFailedLaterAndLaterAndThenGivesUp) {
  auto state = cloud();
  state.actions = {{.id = 1, .parent = 1, .time = now, .anchor = now, .datastore = 100}};
  Scheduler core{state, now};
  EXPECT_EQ(started(core, now), (Ids{1}));
  Time time = now, last_pause = 0;
  for (int retry = 1; retry <= 3; ++retry) {
    core.finished(1, Outcome::failed, "no luck", time);
    EXPECT_TRUE(started(core, time).empty());
    EXPECT_NE(why(core, 1).find(std::to_string(retry) + " of 4 attempts failed: no luck"),
              std::string::npos);
    const Time pause = *core.next() - time;
    EXPECT_GT(pause, last_pause);
    last_pause = pause;
    EXPECT_TRUE(started(core, time + pause - 1).empty());
    EXPECT_EQ(started(core, time += pause), (Ids{1}));
  }
  core.finished(1, Outcome::failed, "no luck", time);
  const auto notices = core.advance(time).notices;
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].text, "VM 1: given up after 4 attempts: no luck");
  EXPECT_TRUE(core.state().requests.empty());
  EXPECT_NE(core.state().actions[0].message.find(" : no luck"), std::string::npos);
}

TEST_F(SchedulerTest, WarnsBeforeAnRpoIsMissedAndTakesThatOneFirst) {
  auto state = cloud({.all = 1, .host = 0, .datastore = 0});
  state.vms[3].rpo = 8 * hour;
  Scheduler core{state, now};
  want(core, {1, 2});
  core.backup(4, 100, false, 0, now);
  EXPECT_EQ(started(core, now), (Ids{1}));
  EXPECT_TRUE(core.advance(now + 6 * hour - 1).notices.empty());
  const auto near = core.advance(now + 6 * hour).notices;
  ASSERT_EQ(near.size(), 1U);
  EXPECT_EQ(near[0].text, "VM 4: will miss its RPO at 2026-09-28 20:00, it has no backup yet");
  core.finished(1, Outcome::good, "", now + 7 * hour);
  EXPECT_EQ(started(core, now + 7 * hour), (Ids{4}));
  EXPECT_EQ(core.advance(now + 8 * hour).notices.at(0).kind, Notice::Kind::rpo_missed);
}

TEST_F(SchedulerTest, BacksUpByItselfWhatHasNothingButAnRpo) {
  auto state = cloud();
  state.vms[0].rpo = 8 * hour;
  state.vms[0].datastore = 101;
  Scheduler core{state, now};
  EXPECT_EQ(core.next(), now + 6 * hour);
  EXPECT_EQ(started(core, now + 6 * hour), (Ids{1}));
  core.finished(1, Outcome::good, "", now + 6 * hour + 60);
  EXPECT_EQ(core.next(), now + 12 * hour);
}

TEST_F(SchedulerTest, ABackupThatEndedWhileNobodyListenedTookAsLongAsItTook) {
  auto state = cloud();
  state.vms[0].rpo = 8 * hour;
  state.vms[0].datastore = 101;
  Scheduler core{state, now};
  EXPECT_EQ(started(core, now + 6 * hour), (Ids{1}));
  core.finished(1, Outcome::good, "", now + 10 * hour, now + 6 * hour + 60);
  EXPECT_EQ(core.state().vms[0].expected, 60);
  EXPECT_EQ(core.next(), now + 12 * hour);
  EXPECT_EQ(started(core, now + 12 * hour), (Ids{1}));
  core.finished(1, Outcome::good, "", now + 12 * hour + 60, now + 12 * hour - 60);
  EXPECT_EQ(core.state().vms[0].expected, 45) << "a clock that was wrong: at once";
}

TEST_F(SchedulerTest, HoweverLongABackupTakesHalfOfItsRpoPassesBetweenTwo) {
  auto state = cloud();
  state.vms[0].rpo = 8 * hour;
  state.vms[0].datastore = 101;
  state.vms[0].last_backup = now;
  state.vms[0].expected = 20 * hour;
  Scheduler core{state, now};
  EXPECT_TRUE(started(core, now + 4 * hour - 1).empty());
  EXPECT_EQ(started(core, now + 4 * hour), (Ids{1}));
  core.finished(1, Outcome::good, "", now + 4 * hour + 60);
  EXPECT_EQ(core.next(), now + 8 * hour);
}

TEST_F(SchedulerTest, WarnsOfNoRpoWhoseBackupBeginsInTime) {
  auto state = cloud({.all = 1, .host = 0, .datastore = 0});
  for (const int at : {0, 1}) {
    state.vms[at].rpo = 8 * hour;
    state.vms[at].datastore = 101;
  }
  Scheduler core{state, now};
  const auto decisions = core.advance(now + 6 * hour);
  ASSERT_EQ(decisions.starts.size(), 1U);
  ASSERT_EQ(decisions.notices.size(), 1U) << "of the one that waits";
  EXPECT_NE(decisions.notices[0].vm, decisions.starts[0].vm);
}

TEST_F(SchedulerTest, ForgetsWhatRpoAskedForWhereThereIsNoneAnyMore) {
  auto state = cloud({.all = 1, .host = 0, .datastore = 0});
  for (const int at : {0, 1, 3}) {
    state.vms[at].rpo = 8 * hour;
    state.vms[at].datastore = 100;
  }
  Scheduler core{state, now};
  want(core, {3, 4});
  EXPECT_EQ(started(core, now), (Ids{3}));
  EXPECT_TRUE(started(core, now + 7 * hour).empty());
  EXPECT_NE(why(core, 1), "");
  for (const int at : {0, 3}) {
    auto vm = state.vms[at];
    vm.rpo = 0;
    vm.datastore = -1;
    core.put(vm);
  }
  EXPECT_EQ(why(core, 1), "");
  EXPECT_NE(why(core, 4), "") << "somebody has ordered it";
  core.finished(3, Outcome::good, "", now + 7 * hour);
  EXPECT_EQ(started(core, now + 7 * hour), (Ids{2}));
  auto vm = state.vms[1];
  vm.rpo = 0;
  core.put(vm);
  core.finished(2, Outcome::failed, "no luck", now + 7 * hour + 1);
  EXPECT_EQ(started(core, now + 7 * hour + 1), (Ids{4}));
  EXPECT_EQ(why(core, 2), "") << "not tried again";
}

TEST_F(SchedulerTest, KeepsAnUrgentOnesPlaceUntilItsDatastoreHasOne) {
  auto state = cloud({.all = 0, .host = 1, .datastore = 1});
  state.vms[1].rpo = 8 * hour;
  Scheduler core{state, now};
  want(core, {3});       // holds datastore 100
  want(core, {1}, 101);  // holds host 1
  EXPECT_EQ(started(core, now), (Ids{3, 1}));
  core.backup(2, 100, false, 50, now);
  core.backup(1, 100, false, 99, now);
  EXPECT_TRUE(started(core, now + 7 * hour).empty());
  core.finished(1, Outcome::good, "", now + 7 * hour);
  want(core, {1}, 101);
  EXPECT_TRUE(started(core, now + 7 * hour).empty());
  bool says = false;
  for (const auto& wait : core.waits(1))
    says |=
        wait.text == "VM 1 waits for host 1, whose last place is kept for VM 2, which is urgent";
  EXPECT_TRUE(says);
  core.finished(3, Outcome::good, "", now + 7 * hour + 5);
  EXPECT_EQ(started(core, now + 7 * hour + 5), (Ids{2}));
}

TEST_F(SchedulerTest, OpensAWindowAtItsHourForAllButManualBackups) {
  auto state = cloud();
  state.datastores[0].window = Window::parse("22:00-06:00");
  state.actions = {{.id = 1, .parent = 1, .time = now, .anchor = now, .datastore = 100}};
  Scheduler core{state, now};
  EXPECT_TRUE(started(core, now).empty());
  EXPECT_EQ(why(core, 1),
            "VM 1 waits for the backup window of datastore 100, which opens at 2026-09-28 22:00");
  want(core, {2});
  EXPECT_EQ(started(core, now), (Ids{2}));
  EXPECT_EQ(core.next(), now + 10 * hour);
  EXPECT_EQ(started(core, now + 10 * hour), (Ids{1}));
}

TEST_F(SchedulerTest, GoesOnAfterTheClockWasSetBackOrForward) {
  auto state = cloud();
  const std::vector every_day{0, 1, 2, 3, 4, 5, 6};
  state.actions = {{.id = 1,
                    .parent = 1,
                    .time = now,
                    .repeat = Repeat::weekly,
                    .days = every_day,
                    .anchor = now,
                    .datastore = 100}};
  Scheduler core{state, now};
  EXPECT_EQ(started(core, now + 3000 * day), (Ids{1}));  // once, not 3000 times
  core.finished(1, Outcome::failed, "x", now + 3000 * day);
  EXPECT_TRUE(started(core, now + hour).empty());
  EXPECT_LE(*core.next(), now + 8 * hour);
  EXPECT_EQ(started(core, *core.next()), (Ids{1}));
  core.finished(1, Outcome::good, "", now + 9 * hour);
  EXPECT_LE(core.state().vms[0].last_backup, now + 9 * hour);
  EXPECT_TRUE(started(core, now + 9 * hour).empty());
  EXPECT_EQ(*core.next(), now + day);
}

TEST_F(SchedulerTest, NothingIsHeldLongerSinceTheClockWasSetBack) {
  Scheduler core{cloud({.all = 1, .host = 0, .datastore = 0}), now};
  want(core, {1, 2});
  EXPECT_EQ(started(core, now), (Ids{1}));
  core.put_back(1, now + 60, "is in use", now);
  core.hold(2, now + 10, "is in use");
  EXPECT_TRUE(started(core, now + 1).empty());
  EXPECT_TRUE(started(core, now - hour + 1).empty());
  EXPECT_EQ(core.next(), now - hour + 10);
  EXPECT_EQ(started(core, now - hour + 10), (Ids{2}));
  core.finished(2, Outcome::good, "", now - hour + 11);
  EXPECT_TRUE(started(core, now - hour + 59).empty());
  EXPECT_EQ(started(core, now - hour + 60), (Ids{1}));
  core.finished(1, Outcome::good, "", now - hour + 61);
  want(core, {1});
  EXPECT_EQ(started(core, now - 2 * day), (Ids{1})) << "what is over does not begin again";
}

TEST_F(SchedulerTest, RefusesWhatCannotBe) {
  auto state = cloud();
  state.jobs = {{.id = 1, .vms = {1, 2}, .datastore = 100}};
  Scheduler core{state, now};
  EXPECT_THROW(core.backup(1, 100, false, 50, now), BadRequest);  // its job does
  EXPECT_THROW(core.backup(99, 100, false, 50, now), BadRequest);
  EXPECT_THROW(core.backup(3, 100, false, 100, now), BadRequest);
  EXPECT_THROW(core.put(Job{.id = 2, .vms = {3, 2}}), BadRequest);
  EXPECT_THROW(core.put(Job{.id = 2, .vms = {99}}), BadRequest);
  EXPECT_THROW(core.put(Job{.id = 1, .priority = 100}), BadRequest);
  EXPECT_EQ(core.state().jobs.size(), 1U);
}

TEST_F(SchedulerTest, WhatBeganForAJobThatTheMachineHasLeftIsNotTriedAgain) {
  for (const bool later : {false, true}) {
    auto state = cloud();
    state.jobs = {{.id = 1, .vms = {1, 3}, .datastore = 100}};
    Scheduler core{state, now};
    core.execute(1, now);
    EXPECT_EQ(started(core, now), (Ids{1}));
    core.put(Job{.id = 1, .vms = {3}, .datastore = 100});
    if (later)
      core.put_back(1, now + 60, "is in use", now);
    else
      core.finished(1, Outcome::failed, "no space", now);
    core.remove_job(1);
    EXPECT_TRUE(core.state().requests.empty());
    EXPECT_EQ(core.state().vms.front().job_state, JobState::none);
    EXPECT_TRUE(core.waits(1).empty());
  }
}

TEST_F(SchedulerTest, ABackupThatSomebodyElseMadeCountsForRpo) {
  auto state = cloud();
  state.hosts[0].up = false;
  state.vms[0].rpo = day;
  state.vms[0].datastore = 100;
  Scheduler core{state, now};
  core.advance(now + day);
  ASSERT_EQ(core.waits(1).size(), 1U);
  core.backup(1, 101, false, 50, now + day);
  auto vm = core.state().vms[0];
  vm.last_backup = now + day;
  core.put(vm);
  ASSERT_EQ(core.waits(1).size(), 1U);
  EXPECT_EQ(core.waits(1)[0].request.datastore, 101) << "that was asked for by a person";
  core.advance(now + day + hour);
  EXPECT_EQ(core.state().vms[0].rpo_state, Vm::Rpo::kept);
}

TEST_F(SchedulerTest, OneThatCouldNotBeginYetHasNotFailed) {
  Scheduler core{cloud({.all = 1, .host = 0, .datastore = 0}), now};
  want(core, {1, 2});
  EXPECT_EQ(started(core, now), (Ids{1}));
  core.put_back(1, now + 60, "is restored by somebody", now);
  EXPECT_EQ(started(core, now), (Ids{2}));
  EXPECT_EQ(why(core, 1),
            "VM 1 waits until 2026-09-28 12:01 at the latest: it is restored by somebody");
  core.finished(2, Outcome::good, "", now + 1);
  EXPECT_EQ(started(core, now + 59), (Ids{}));
  EXPECT_EQ(started(core, now + 60), (Ids{1}));
  EXPECT_EQ(core.state().requests[0].failures, 0);
}

}  // namespace
}  // namespace vmvaultd
