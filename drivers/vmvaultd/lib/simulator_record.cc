// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/simulator_record.h"

#include <algorithm>
#include <set>

namespace vmvaultd {
namespace {

constexpr Time remembered = 4 * day;
constexpr int most_begins = 30;
constexpr std::size_t all_of = 2000, one_in = 50;

}  // namespace

Record::Record(const Cloud& cloud)
    : cloud_{cloud}, subjects_(static_cast<std::size_t>(cloud.load().vms)) {
  for (std::size_t id = 0; id < subjects_.size(); ++id)
    subjects_[id].base = cloud.state().vms[id].rpo_since;
  for (const auto& outage : cloud.outages()) outages_[outage.host].push_back(outage);
  for (auto& [host, outages] : outages_)
    std::sort(outages.begin(), outages.end(),
              [](const Outage& a, const Outage& b) { return a.begin < b.begin; });
}

const Job* Record::job(int id) const {
  return id < 0 ? nullptr : &cloud_.state().jobs[static_cast<std::size_t>(id)];
}

void Record::pass(double ms) {
  ++report_.passes;
  report_.pass_ms.push_back(ms);
}

void Record::question(const Core& core, Time now) {
  ++report_.asked_why;
  report_.unexplained += core.unexplained(now, report_.longest_turn);
}

void Record::restarted(const Core& core, Time since, Time now) {
  report_.gaps.emplace_back(since, now);
  report_.most_bytes = std::max(report_.most_bytes, core.bytes());
}

void Record::check_limits(const Start& start, Time now) {
  const auto over = [](int count, int limit) { return limit > 0 && count > limit; };
  const auto& limits = cloud_.load().limits;
  report_.over_all += over(++all_, limits.all);
  report_.over_host += over(++hosts_[start.host], limits.host);
  report_.over_datastore += over(++datastores_[start.datastore], limits.datastore);
  report_.over_vm += subjects_[static_cast<std::size_t>(start.vm)].running;
  const auto* of = job(start.job);
  if (of == nullptr) return;
  report_.over_job += ++jobs_[of->id] > 1 && of->execution == Job::Execution::sequential;
  report_.outside += of->window && !of->window->open(now);
}

void Record::began(const Start& start, Time now) {
  ++report_.started;
  check_limits(start, now);
  auto& subject = subjects_[static_cast<std::size_t>(start.vm)];
  if (subject.wish != start.since) report_.waits.push_back(now - start.since);
  subject.wish = start.since;
  subject.running = true;
  subject.host = start.host;
  subject.datastore = start.datastore;
  subject.job = start.job;
  subject.tries.push_back({start.since, now, -1});
}

void Record::ended(int id, bool good, Time now) {
  auto& subject = subjects_[static_cast<std::size_t>(id)];
  --all_, --hosts_[subject.host], --datastores_[subject.datastore];
  if (subject.job >= 0) --jobs_[subject.job];
  subject.running = false;
  subject.tries.back().end = now;
  ++(good ? report_.good : report_.failed);
  if (!good) return;
  judge(id, subject, now);
  subject.base = subject.tries.back().begin;
  subject.has_one = true;
  subject.tries.clear();
}

// A success closes the account of an age.
void Record::judge(int id, Subject& subject, Time now) {
  const Time rpo = vm(id).rpo;
  const Time due = rpo > 0 ? subject.base + rpo : last_time;
  for (const auto& attempt : subject.tries)
    works_.push_back({.wanted = subject.tries.front().since,
                      .due = due,
                      .begin = attempt.begin,
                      .end = attempt.end,
                      .host = subject.host,
                      .datastore = subject.datastore,
                      .job = subject.job});
  judge_late(now - remembered / 2);
  while (!works_.empty() && works_.front().end + remembered < now) works_.pop_front();
  if (now <= due) return;
  ++report_.misses;
  report_.late += now - due;
  if (alone(id, subject) > due)
    ++report_.alone;
  else
    remember_late({works_.back(), unforeseen(subject, due)});
}

void Record::remember_late(const Late& late) {
  ++lates_;
  if (lates_ > all_of && lates_ % one_in != 0) return;
  late_.push_back(late);
  if (lates_ > all_of) late_.back().stands_for = one_in;
}

void Record::judge_late(Time until) {
  for (; !late_.empty() && late_.front().work.end <= until; late_.pop_front()) {
    const auto& [work, unforeseen, count] = late_.front();
    if (crowded(work))
      report_.crowded += count;
    else if (unforeseen)
      report_.unforeseen += count;
  }
}

Time Record::when_possible(int host, const Job* of, Time time) const {
  for (bool moved = true; moved;) {
    moved = false;
    if (of != nullptr && of->window && !of->window->open(time)) {
      time = of->window->next_change(time).value_or(last_time);
      moved = true;
    }
    if (const auto found = outages_.find(host); found != outages_.end())
      for (const auto& [which, begin, end] : found->second)
        if (time >= begin && time < end) time = end, moved = true;
  }
  return time;
}

Time Record::alone(int id, const Subject& subject) const {
  const auto& retry = cloud_.state().policy.retry;
  Time time = subject.tries.front().since;
  for (std::size_t n = 0; n < subject.tries.size(); ++n) {
    const auto& attempt = subject.tries[n];
    // Another wish: the one before it was given up.
    if (n > 0 && attempt.since != subject.tries[n - 1].since) time = std::max(time, attempt.since);
    time = when_possible(vm(id).host, job(subject.job), time) + attempt.end - attempt.begin;
    if (n + 1 < subject.tries.size())
      time += std::min(retry.first << std::min<std::size_t>(n, 20), retry.longest);
  }
  return time;
}

// Something that nobody can know came between the wish and its time.
bool Record::unforeseen(const Subject& subject, Time due) const {
  const Time wanted = subject.tries.front().since;
  if (subject.tries.size() > 1 || down(subject.host, wanted, due) > 0) return true;
  const auto& gaps = report_.gaps;
  return std::any_of(gaps.begin(), gaps.end(),
                     [&](const auto& gap) { return gap.first < due && gap.second > wanted; });
}

Time Record::down(int host, Time begin, Time end) const {
  Time down = 0;
  if (const auto found = outages_.find(host); found != outages_.end())
    for (const auto& outage : found->second)
      down += std::max<Time>(0, std::min(end, outage.end) - std::max(begin, outage.begin));
  return down;
}

template <class Same>
bool Record::full(const Work& late, int places, int host, Same same) const {
  if (places == 0) return false;
  std::vector<const Work*> works;
  std::set<Time, std::greater<>> begins;
  for (const auto& work : works_)
    if (same(work)) {
      works.push_back(&work);
      if (work.wanted <= late.wanted) begins.insert(work.wanted);
    }
  int tried = 0;
  for (const Time begin : begins) {
    Time demand = 0;
    for (const auto* work : works)
      if (work->wanted >= begin)
        demand += work->due <= late.due ? work->end - work->begin : 0;
      else if (work->begin < begin)
        demand += std::max<Time>(0, std::min(work->end, late.due) - begin);
    if (demand > places * (late.due - begin - down(host, begin, late.due))) return true;
    if (++tried == most_begins) break;
  }
  return false;
}

// When it was wanted all places were held, until its end would be late.
template <class Same>
bool Record::held(const Work& late, int places, Same same) const {
  std::vector<Time> ends;
  for (const auto& work : works_)
    if (same(work) && work.begin < late.wanted && work.end > late.wanted) ends.push_back(work.end);
  if (places == 0 || ends.size() < static_cast<std::size_t>(places)) return false;
  return *std::min_element(ends.begin(), ends.end()) + late.end - late.begin > late.due;
}

bool Record::crowded(const Work& late) const {
  const auto& limits = cloud_.load().limits;
  const auto* of = job(late.job);
  const bool one_by_one = of != nullptr && of->execution == Job::Execution::sequential;
  if (held(late, limits.host, [&](const Work& work) { return work.host == late.host; }) ||
      (one_by_one && held(late, 1, [&](const Work& work) { return work.job == late.job; })))
    return true;
  return full(late, limits.host, late.host,
              [&](const Work& work) { return work.host == late.host; }) ||
         (one_by_one &&
          full(late, 1, -1, [&](const Work& work) { return work.job == late.job; })) ||
         full(late, limits.datastore, -1,
              [&](const Work& work) { return work.datastore == late.datastore; }) ||
         full(late, limits.all, -1, [](const Work&) { return true; });
}

Report Record::finish(const Core& core, Time now) {
  for (std::size_t id = 0; id < subjects_.size(); ++id) {
    auto& subject = subjects_[id];
    const Time rpo = vm(static_cast<int>(id)).rpo;
    if (rpo == 0) continue;
    report_.never += !subject.has_one;
    if (subject.base + rpo >= now) continue;
    ++report_.misses;
    const Time due = subject.base + rpo;
    report_.late += now - due;
    if (const auto since = core.wanted(static_cast<int>(id)))
      subject.tries.push_back({*since, now, now});
    else if (subject.running)
      subject.tries.back().end = now;
    if (subject.tries.empty()) continue;
    if (alone(static_cast<int>(id), subject) > due)
      ++report_.alone;
    else if (unforeseen(subject, due))
      ++report_.unforeseen;
  }
  judge_late(last_time);
  std::sort(report_.waits.begin(), report_.waits.end());
  std::sort(report_.pass_ms.begin(), report_.pass_ms.end());
  return std::move(report_);
}

}  // namespace vmvaultd
