// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>

#include <algorithm>

#include "common/error.h"
#include "drivers/vmvaultd/lib/simulator_core.h"

namespace vmvaultd {
namespace {

double allocated() {
  const auto info = mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
}

class Ours : public Core {
 public:
  Ours(const State& state, Time now) : scheduler_{std::in_place, state, now} {}

  std::vector<Start> advance(Time now) override { return scheduler_->advance(now).starts; }
  std::optional<Time> next() const override { return scheduler_->next(); }

  void finished(int vm, bool good, Time now) override {
    scheduler_->finished(vm, good ? Outcome::good : Outcome::failed, good ? "" : "by chance", now);
  }

  void backup(int vm, int datastore, Time now) override {
    try {
      scheduler_->backup(vm, datastore, false, 50, now);
    } catch (const BadRequest&) {  // its job backs it up, or it runs already
    }
  }

  void set_host(int id, bool up) override { scheduler_->put(Host{.id = id, .up = up}); }

  void restart(Time now) override {
    State durable = scheduler_->state();
    const double before = allocated();
    scheduler_.reset();
    bytes_ = before - allocated();
    scheduler_.emplace(std::move(durable), now);
  }

  std::size_t unexplained(Time now, Time& longest_turn) const override {
    std::size_t count = 0;
    for (const auto& wait : scheduler_->waits()) {
      count += wait.cause == Cause::none;
      if (wait.cause == Cause::limit || wait.cause == Cause::host_limit ||
          wait.cause == Cause::datastore_limit || wait.cause == Cause::job_busy)
        longest_turn =
            std::max(longest_turn, now - std::max(wait.request.since, wait.request.not_before));
    }
    return count;
  }

  std::optional<Time> wanted(int vm) const override {
    const auto waits = scheduler_->waits(vm);
    return waits.empty() ? std::nullopt : std::optional{waits.front().request.since};
  }

  double bytes() const override { return bytes_; }

 private:
  std::optional<Scheduler> scheduler_;
  double bytes_ = 0;
};

}  // namespace

std::unique_ptr<Core> our_core(const State& state, Time now) {
  return std::make_unique<Ours>(state, now);
}

}  // namespace vmvaultd
