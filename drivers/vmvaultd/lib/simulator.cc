// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/simulator.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <queue>
#include <tuple>
#include <utility>

#include "drivers/vmvaultd/lib/simulator_record.h"

namespace vmvaultd {
namespace {

double clock_ms() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>{time}.count();
}

struct Event {
  Time time;
  enum class Kind { end, host_down, host_up, manual, down, up, question } kind;
  int number = 0;  // of a VM, a host...
  int more = 0;    // of the attempt, or a datastore
  std::uint64_t order = 0;

  // Of a queue the greatest comes first.
  bool operator<(const Event& other) const {
    return std::tie(time, order) > std::tie(other.time, other.order);
  }
};

class World {
 public:
  World(const Cloud& cloud, MakeCore make)
      : cloud_{cloud},
        record_{cloud},
        core_{make(cloud.state(), cloud.load().begin)},
        up_(static_cast<std::size_t>(cloud.load().hosts), true),
        runs_(static_cast<std::size_t>(cloud.load().vms)) {
    for (const auto& [host, begin, end] : cloud.outages()) {
      push({begin, Event::Kind::host_down, host});
      push({end, Event::Kind::host_up, host});
    }
    for (const auto& [vm, datastore, time] : cloud.manual())
      push({time, Event::Kind::manual, vm, datastore});
    for (const Time time : cloud.restarts()) push({time, Event::Kind::down});
    for (Time time = 3 * hour; time < cloud.load().length; time += 4 * hour)
      push({cloud.load().begin + time, Event::Kind::question});
  }

  Report run() {
    const Time end = cloud_.load().begin + cloud_.load().length;
    while ((now_ = next()) <= end) {
      double told = 0;
      while (!events_.empty() && events_.top().time <= now_) {
        const Event event = events_.top();
        events_.pop();
        told += happen(event);
      }
      if (!serving_) continue;
      const double asked = clock_ms();
      const auto starts = core_->advance(now_);
      record_.pass(told + clock_ms() - asked);
      for (const auto& start : starts) begin(start);
      if (std::exchange(asked_, false)) record_.question(*core_, now_);
    }
    return record_.finish(*core_, end);
  }

 private:
  struct Run {
    int nth = 0;
    bool running = false, good = false;
    int host = -1;
  };

  Time next() const {
    Time time = events_.empty() ? last_time : events_.top().time;
    if (serving_) time = std::min(time, std::max(now_, core_->next().value_or(last_time)));
    return time;
  }

  void push(Event event) {
    event.order = ++order_;
    events_.push(event);
  }

  // What the core is told takes its time, and that is returned.
  template <class Tell>
  double tell(Tell what) {
    if (!serving_) {
      untold_.emplace_back(what);
      return 0;
    }
    const double before = clock_ms();
    what();
    return clock_ms() - before;
  }

  double happen(const Event& event) {
    const int number = event.number;
    switch (event.kind) {
      case Event::Kind::end:
        return end(number, event.more);
      case Event::Kind::host_up:
        up_[static_cast<std::size_t>(number)] = true;
        return tell([this, number] { core_->set_host(number, true); });
      case Event::Kind::host_down:
        return host_down(number);
      case Event::Kind::manual:
        return tell([this, number, event] { core_->backup(number, event.more, now_); });
      case Event::Kind::down:
        if (!serving_) return 0;
        serving_ = false;
        down_since_ = now_;
        push({now_ + 5 + static_cast<Time>(dice(7, static_cast<std::uint64_t>(now_)) % 600),
              Event::Kind::up});
        return 0;
      case Event::Kind::up:
        return serve_again();
      case Event::Kind::question:
        asked_ = true;
        return 0;
    }
    return 0;
  }

  double serve_again() {
    serving_ = true;
    core_->restart(now_);
    record_.restarted(*core_, down_since_, now_);
    // Each tenth time some of what ran is lost with the machine.
    const auto luck = dice(8, static_cast<std::uint64_t>(now_));
    for (std::size_t vm = 0; luck % 10 == 0 && vm < runs_.size(); ++vm)
      if (runs_[vm].running && dice(luck, vm) % 20 == 0) {
        runs_[vm].good = false;
        end(static_cast<int>(vm), runs_[vm].nth);
      }
    const auto untold = std::move(untold_);
    untold_.clear();
    for (const auto& what : untold) what();
    return 0;
  }

  double end(int vm, int nth) {
    auto& run = runs_[static_cast<std::size_t>(vm)];
    if (!run.running || run.nth != nth) return 0;
    run.running = false;
    const bool good = run.good;
    record_.ended(vm, good, now_);
    return tell([this, vm, good] { core_->finished(vm, good, now_); });
  }

  double host_down(int host) {
    up_[static_cast<std::size_t>(host)] = false;
    double told = tell([this, host] { core_->set_host(host, false); });
    for (std::size_t vm = 0; vm < runs_.size(); ++vm)
      if (runs_[vm].running && runs_[vm].host == host) {
        runs_[vm].good = false;
        record_.cut();
        told += end(static_cast<int>(vm), runs_[vm].nth);
      }
    return told;
  }

  void begin(const Start& start) {
    record_.began(start, now_);
    auto& run = runs_[static_cast<std::size_t>(start.vm)];
    const auto attempt = cloud_.attempt(start.vm, ++run.nth, now_);
    run.running = true;
    run.good = attempt.good;
    run.host = start.host;
    push({now_ + attempt.duration, Event::Kind::end, start.vm, run.nth});
  }

  const Cloud& cloud_;
  Record record_;
  std::unique_ptr<Core> core_;
  Time now_ = 0;
  bool serving_ = true, asked_ = false;
  Time down_since_ = 0;
  std::vector<bool> up_;
  std::vector<Run> runs_;
  std::priority_queue<Event> events_;
  std::uint64_t order_ = 0;
  std::vector<std::function<void()>> untold_;
};

}  // namespace

Report simulate(const Cloud& cloud, MakeCore make) { return World{cloud, make}.run(); }

}  // namespace vmvaultd
