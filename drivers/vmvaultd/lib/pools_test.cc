// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/pools.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"
#include "drivers/vmvaultd/lib/scheduler.h"
#include "drivers/vmvaultd/lib/test_zone.h"

namespace vmvaultd {
namespace {

constexpr Time now = 1'790'596'800;  // Monday, 2026-09-28 12:00 UTC

class PoolsTest : public testing::Test {
 protected:
  PoolsTest() {
    store.put_datastore({.id = 100, .name = "default", .ds_mad = "restic"});
    for (int i = 0; i < 4; ++i) store.vm_for("u" + std::to_string(i), "web");
    first = store.vms().front().id;
    EXPECT_EQ(pools.put({.host = {.limit = 2}, .name = "kvm1", .uri = "u", .emulator_cpus = "0"}),
              1);
  }

  Scheduler load(Time time = now) { return Scheduler{pools.load(policy), time}; }

  void expect_saved(const Scheduler& core) {
    const auto state = core.state(), found = pools.load(policy);
    EXPECT_EQ(found.hosts, state.hosts);
    EXPECT_EQ(found.datastores, state.datastores);
    EXPECT_EQ(found.vms, state.vms);
    EXPECT_EQ(found.jobs, state.jobs);
    EXPECT_EQ(found.actions, state.actions);
    EXPECT_EQ(found.requests, state.requests);
  }

  Vm vm(int number) const {
    return {.id = first + number, .host = 1, .rpo = 86'400, .rpo_since = now, .datastore = 100};
  }
  Job job(int id, std::vector<int> vms) const {
    for (int& one : vms) one += first;
    Job job{.id = id, .vms = std::move(vms), .datastore = 100, .priority = 70};
    job.execution = Job::Execution::parallel;
    job.window = Window::parse("mon-fri 00:00-24:00, sat 10:00-11:00");
    return job;
  }
  Action action(int parent) {
    return {.id = pools.new_action(),
            .subject = Subject::job,
            .parent = parent,
            .time = now + 60,
            .repeat = Repeat::weekly,
            .days = {1, 3},
            .end = End::times,
            .end_value = 5,
            .anchor = now + 60};
  }

  ScopedZone zone{"UTC"};
  TempDir dir;
  state::Store store{dir.path() / "state.db"};
  Pools pools{store};
  Policy policy{};
  int first = -1;
};

TEST_F(PoolsTest, HoldsAllThatASchedulerHas) {
  auto core = load();
  Datastore datastore{.id = 100, .limit = 3, .window = Window::parse("08:00-20:00")};
  pools.put(datastore);
  core.put(datastore);
  for (int i = 0; i < 4; ++i) core.put(vm(i));
  core.put(job(pools.new_job("nightly", 0, ""), {2, 0, 1}));
  core.put(action(1));
  core.backup(first + 3, 100, true, 90, now);
  EXPECT_EQ(core.advance(now + 60).starts.size(), 2U);
  core.finished(first + 3, Outcome::failed, "no space", now + 90);
  core.hold(first + 3, now + 1000, "is merged");
  pools.save(core.changes());
  expect_saved(core);
  EXPECT_EQ(pools.hosts()[0].name, "kvm1");
  EXPECT_EQ(pools.hosts()[0].emulator_cpus, "0");
}

TEST_F(PoolsTest, KeepsUpWithASchedulerOverItsRestarts) {
  auto core = load();
  for (int i = 0; i < 4; ++i) core.put(vm(i));
  core.put(job(pools.new_job("a", 0, ""), {0, 1}));
  core.put(job(pools.new_job("b", 0, ""), {2}));
  for (int step = 1; step <= 40; ++step) {
    SCOPED_TRACE(step);
    const Time time = now + step * 3600;
    if (step % 8 == 0 && step < 40) core.execute(1 + step % 16 / 8, time);
    for (const auto& start : core.advance(time).starts)
      core.finished(start.vm, step % 3 == 0 ? Outcome::failed : Outcome::good, "no", time + 60);
    if (step == 20) {  // a machine goes from one job to the other
      core.put(job(1, {0}));
      core.put(job(2, {1, 2}));
    }
    if (step == 25) core.remove_job(2);
    if (step == 30) core.remove_vm(first);
    pools.save(core.changes());
    expect_saved(core);
    if (step % 7 == 0) core = load(time);
  }
  EXPECT_EQ(core.state().jobs.size(), 1U);
  EXPECT_EQ(core.state().vms.size(), 3U);
}

TEST_F(PoolsTest, NewRequestsComeBehindThoseOfBefore) {
  policy.limits.all = 1;
  auto core = load();
  for (int i = 0; i < 4; ++i) core.put(vm(i));
  for (int i : {3, 2}) core.backup(first + i, 100, false, 50, now);
  core.advance(now);
  core.finished(first + 3, Outcome::good, "", now);
  pools.save(core.changes());
  core = load();
  core.backup(first, 100, false, 50, now);
  pools.save(core.changes());
  expect_saved(core);
  const auto requests = load().state().requests;
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].vm, first + 2);
  EXPECT_EQ(requests[1].vm, first);
}

TEST_F(PoolsTest, IdsAreNeverGivenTwice) {
  auto core = load();
  EXPECT_EQ(pools.new_job("a", 0, ""), 1);
  core.put(job(1, {}));
  core.put(action(1));
  pools.save(core.changes());
  core.remove_job(1);
  core.remove_action(1);
  pools.save(core.changes());
  EXPECT_EQ(pools.new_job("b", 0, ""), 2);
  EXPECT_EQ(pools.new_action(), 2);
  const int host = pools.put({.host = {}, .name = "kvm2", .uri = "u", .emulator_cpus = ""});
  pools.remove_host(host);
  EXPECT_EQ(pools.put({.host = {}, .name = "kvm3", .uri = "u", .emulator_cpus = ""}), host + 1);
}

TEST_F(PoolsTest, ChangesAHost) {
  const Host host{.id = 1, .up = false, .limit = {}, .status = Host::Status::offline};
  EXPECT_EQ(pools.put({.host = host, .name = "kvm9", .uri = "v", .emulator_cpus = ""}), 1);
  ASSERT_EQ(pools.hosts().size(), 1U);
  EXPECT_EQ(pools.hosts()[0].host, host);
  EXPECT_EQ(pools.hosts()[0].name + pools.hosts()[0].uri, "kvm9v");
  EXPECT_EQ(load().state().hosts, std::vector{host});
}

TEST_F(PoolsTest, RefusesWhatIsNotKnown) {
  EXPECT_THROW(pools.put(Datastore{.id = 7}), Error);
  EXPECT_THROW(pools.put({.host = {.id = 7}, .name = "a", .uri = "u", .emulator_cpus = ""}), Error);
}

TEST_F(PoolsTest, NothingIsSavedOfAChangeThatFails) {
  auto core = load();
  core.put(vm(0));
  core.put(Vm{.id = 5, .host = 1});  // which the store has never seen
  EXPECT_THROW(pools.save(core.changes()), Error);
  EXPECT_TRUE(pools.load(policy).vms.empty());
}

}  // namespace
}  // namespace vmvaultd
