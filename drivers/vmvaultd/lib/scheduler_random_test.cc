// SPDX-License-Identifier: Apache-2.0
// Many small clouds at random, each step beside a scheduler that looks at everything each time.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "common/error.h"
#include "drivers/vmvaultd/lib/scheduler.h"
#include "drivers/vmvaultd/lib/test_ledger.h"
#include "drivers/vmvaultd/lib/test_zone.h"

namespace vmvaultd {
namespace {

template <class T>
const T* with_id(const std::vector<T>& all, int id) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const T& it) { return it.id == id; });
  return found == all.end() ? nullptr : &*found;
}

// The promises, word by word, over a plain state.
class Naive {
 public:
  Naive(State state, Time now) : state_{std::move(state)}, now_{now} {
    for (const auto& request : state_.requests)
      if (request.started >= 0) count(request, request.host);
  }

  // Without the limit of its datastore, or with it.
  enum class Store { full, any };

  bool may_start(const Request& request, Store store = Store::full) const {
    const auto* vm = with_id(state_.vms, request.vm);
    const auto* host = vm == nullptr ? nullptr : with_id(state_.hosts, vm->host);
    const auto* datastore = with_id(state_.datastores, request.datastore);
    const auto* job = with_id(state_.jobs, request.job);
    if (vm == nullptr || host == nullptr || datastore == nullptr) return false;
    if (!host->up || host->status != Host::Status::enabled) return false;
    if (!datastore->usable || request.started >= 0) return false;
    if (request.not_before > now_ || vm->held_until > now_ || vms_.contains(vm->id)) return false;
    if (request.origin != Origin::manual) {
      if (datastore->window && !datastore->window->open(now_)) return false;
      if (job != nullptr && job->window && !job->window->open(now_)) return false;
    }
    if (job != nullptr && job->execution == Job::Execution::sequential && jobs_.contains(job->id))
      return false;
    const auto& limits = state_.policy.limits;
    return fits(all_, limits.all) &&
           fits(get(hosts_, host->id), host->limit.value_or(limits.host)) &&
           (store == Store::any ||
            fits(get(datastores_, datastore->id), datastore->limit.value_or(limits.datastore)));
  }

  // Is the place that it would take the last of its host, and kept for a more urgent one?
  bool is_kept(const Request& request) const {
    const int id = with_id(state_.vms, request.vm)->host;
    const int limit = with_id(state_.hosts, id)->limit.value_or(state_.policy.limits.host);
    if (limit == 0 || get(hosts_, id) + 1 < limit) return false;
    return std::any_of(state_.requests.begin(), state_.requests.end(), [&](const Request& other) {
      return with_id(state_.vms, other.vm) != nullptr &&
             with_id(state_.vms, other.vm)->host == id && order(other) < order(request) &&
             std::get<0>(order(other)) == 0 && may_start(other, Store::any) && !may_start(other);
    });
  }

  std::vector<std::pair<int, int>> starts() {
    std::vector<std::pair<int, int>> made;
    for (;;) {
      Request* best = nullptr;
      for (auto& request : state_.requests)
        if (may_start(request) && !is_kept(request) &&
            (best == nullptr || order(request) < order(*best)))
          best = &request;
      if (best == nullptr) return made;
      best->started = now_;
      best->host = with_id(state_.vms, best->vm)->host;
      count(*best, best->host);
      made.emplace_back(best->vm, best->datastore);
    }
  }

 private:
  static bool fits(int count, int limit) { return limit == 0 || count < limit; }
  static int get(const std::map<int, int>& counts, int id) {
    return counts.contains(id) ? counts.at(id) : 0;
  }

  void count(const Request& request, int host) {
    ++all_, ++hosts_[host], ++datastores_[request.datastore], ++vms_[request.vm];
    if (request.job >= 0) ++jobs_[request.job];
  }

  std::tuple<int, Time, int, const Request*> order(const Request& request) const {
    const auto& vm = *with_id(state_.vms, request.vm);
    const Time patient = request.since + state_.policy.patience;
    const Time latest = std::max(vm.last_backup, vm.rpo_since) + vm.rpo - vm.expected;
    if (vm.rpo > 0 && vm.rpo_state != Vm::Rpo::kept)
      return {0, std::min(patient, latest), request.place, &request};
    if (patient <= now_) return {0, patient, request.place, &request};
    return {1, request.since - request.priority * state_.policy.point, request.place, &request};
  }

  State state_;
  Time now_;
  int all_ = 0;
  std::map<int, int> hosts_, datastores_, vms_, jobs_;
};

class Play {
 public:
  Play(unsigned seed, std::set<Cause>& causes, std::size_t& starts)
      : causes_{causes}, starts_{starts}, random_{seed}, core_{first_state(), now_} {}

  void step() {
    change();
    const bool by_itself = chance(3);
    if (const auto next = core_.next(); by_itself && next)
      now_ = std::max(now_, *next);
    else
      now_ += chance(40) ? -number(0, 100'000) : number(0, 3000);
    check_changes();
    if (chance(10)) core_ = Scheduler{ledger_.state(core_.state()), now_};
    const auto decisions = core_.advance(now_);
    check(decisions);
    check_next(decisions);
    check_changes();
  }

 private:
  int number(int least, int most) { return std::uniform_int_distribution{least, most}(random_); }
  bool chance(int in) { return number(1, in) == 1; }
  int some_vm() { return number(1, 9); }
  Host::Status status() {
    return chance(4) ? static_cast<Host::Status>(number(0, 2)) : Host::Status::enabled;
  }

  State first_state() {
    State state;
    state.policy.limits = {.all = number(0, 4), .host = number(0, 2), .datastore = number(0, 3)};
    state.policy.patience = number(1000, 20'000);
    for (int id = 1; id <= 3; ++id) state.hosts.push_back({.id = id});
    state.datastores = {{.id = 100}, {.id = 101, .window = Window::parse("00:00-07:00")}};
    for (int id = 1; id <= 8; ++id) state.vms.push_back(vm(id));
    state.jobs = {{.id = 0, .vms = {3, 1, 2}, .datastore = 100, .priority = 10},
                  {.id = 1, .vms = {4, 5, 6}, .datastore = 101, .priority = 70}};
    state.jobs[1].execution = Job::Execution::parallel;
    if (chance(2)) state.jobs[1].window = Window::parse("20:00-04:00");
    state.actions = {
        {.id = 0, .subject = Subject::job, .parent = 0, .time = now_ + number(0, 9000)},
        {.id = 1, .parent = 7, .time = now_ + number(0, 9000), .datastore = 100}};
    for (auto& action : state.actions) {
      action.anchor = action.time;
      action.repeat = Repeat::hourly;
      action.days = {number(1, 12)};
    }
    return state;
  }

  Vm vm(int id) {
    return {.id = id,
            .host = number(0, 4) - (chance(8) ? 5 : 0) < 0 ? -1 : number(1, 4),
            .rpo = chance(2) ? number(10'000, 90'000) : 0,
            .rpo_since = now_,
            .datastore = chance(2) ? 100 : -1};
  }

  void change() {
    try {
      switch (number(0, 13)) {
        case 0:
          return core_.backup(some_vm(), number(100, 102), chance(5), number(0, 99), now_);
        case 1:
          return core_.execute(number(0, 2), now_);
        case 2:
          return core_.put(Host{.id = number(1, 4), .up = !chance(4), .status = status()});
        case 3:
          return core_.put(vm(some_vm()));
        case 4:
          return chance(4) ? core_.remove_vm(some_vm())
                           : core_.hold(some_vm(), now_ + 5000, "rests");
        case 5:
          return chance(4) ? core_.remove_host(number(1, 3)) : limits();
        case 6:
          return chance(3) ? void(core_.cancel(number(0, 1))) : core_.retry(number(0, 1), now_);
        case 7:
          if (chance(3)) return put_back();
          return chance(2) ? void(core_.cancel_vm(some_vm())) : jobs();
        case 8:
          return core_.put(Datastore{.id = number(100, 101), .usable = !chance(4)});
        default:
          return end_one();
      }
    } catch (const BadRequest&) {  // it would not have it, and nothing has changed
    }
  }

  void limits() {
    Policy policy;
    policy.limits = {.all = number(0, 4), .host = number(0, 2), .datastore = number(0, 3)};
    core_.set(policy);
  }

  void jobs() {
    if (chance(6)) return core_.remove_job(number(0, 1));
    Job job{.id = number(0, 2), .vms = {some_vm(), some_vm(), some_vm()}, .datastore = 100};
    if (chance(2)) job.execution = Job::Execution::parallel;
    if (chance(3)) job.window = Window::parse("10:00-20:00");
    core_.put(job);
  }

  void put_back() {
    const auto state = core_.state();
    for (const auto& request : state.requests)
      if (request.started >= 0) return core_.put_back(request.vm, now_ + 60, "is in use", now_);
  }

  void end_one() {
    const auto state = core_.state();
    for (const auto& request : state.requests)
      if (request.started >= 0 && chance(2))
        return core_.finished(
            request.vm,
            chance(3) ? (chance(4) ? Outcome::cancelled : Outcome::failed) : Outcome::good,
            "no luck", now_);
  }

  void check(const Decisions& decisions) {
    State before = core_.state();
    for (auto& request : before.requests)
      for (const auto& start : decisions.starts)
        if (request.vm == start.vm && request.datastore == start.datastore) {
          EXPECT_EQ(request.started, now_);
          request.started = -1;
        }
    std::vector<std::pair<int, int>> starts;
    for (const auto& start : decisions.starts) starts.emplace_back(start.vm, start.datastore);
    EXPECT_EQ(starts, Naive(before, now_).starts()) << "at " << wall_text(now_);

    const auto state = core_.state();
    const Naive naive{state, now_};
    std::size_t waiting = 0;
    for (const auto& request : state.requests) waiting += request.started < 0;
    const auto waits = core_.waits();
    EXPECT_EQ(waits.size(), waiting);
    for (const auto& wait : waits) {
      EXPECT_NE(wait.cause, Cause::none) << wait.text;
      EXPECT_EQ(naive.may_start(wait.request), wait.cause == Cause::host_kept) << wait.text;
      causes_.insert(wait.cause);
    }
    EXPECT_TRUE(Naive(state, now_).starts().empty());
    starts_ += starts.size();
    EXPECT_EQ(core_.running(), state.requests.size() - waiting);
  }

  void check_changes() {
    ledger_.write(core_.changes());
    EXPECT_TRUE(core_.changes().empty());
    const auto state = core_.state(), written = ledger_.state(state);
    EXPECT_EQ(written.vms, state.vms);
    EXPECT_EQ(written.jobs, state.jobs);
    EXPECT_EQ(written.actions, state.actions);
    EXPECT_EQ(written.requests, state.requests);
  }

  // Nothing would begin a moment before the next instant.
  void check_next(const Decisions& decisions) {
    const auto next = core_.next();
    EXPECT_GT(next.value_or(last_time), now_);
    if (decisions.starts.empty() || !chance(4)) return;
    Scheduler other{core_.state(), now_};
    EXPECT_TRUE(other.advance(now_).starts.empty());
    EXPECT_TRUE(other.advance(next.value_or(now_ + 1) - 1).starts.empty());
  }

  std::set<Cause>& causes_;
  std::size_t& starts_;
  std::mt19937 random_;
  Time now_ = 1'790'000'000;
  Scheduler core_;
  Ledger ledger_{core_.state()};
};

TEST(Scheduler, DoesInManySmallCloudsWhatLookingAtEverythingWouldDo) {
  ScopedZone zone{"UTC"};
  std::set<Cause> causes;
  std::size_t starts = 0;
  for (unsigned seed = 1; seed <= 1500 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Play cloud{seed, causes, starts};
    for (int steps = 0; steps < 60 && !testing::Test::HasFailure(); ++steps) cloud.step();
  }
  EXPECT_EQ(causes.size(), 16U) << "not all that can be waited for was";
  EXPECT_GT(starts, 10'000U);
}

}  // namespace
}  // namespace vmvaultd
