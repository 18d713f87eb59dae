// SPDX-License-Identifier: Apache-2.0
// The simulator's own count of what a core did.
//
// Which misses of an RPO are forced.  Let a machine's newest good backup have begun at s; the next
// is wanted from r on (its schedule, or RPO itself), and has to be complete at d = s + RPO.  A miss
// is forced, whatever the core, when one of these lower bounds on its end lies after d:
//
// * alone: r, and then one after the other the times in which its host or the service was down, its
//   window closed, its attempts (those that failed, too) and the pauses between them.  An empty
//   cloud could not have been faster.
// * crowded: there is a t0 <= r and something of limited places (its host, its datastore, its job
// if
//   it takes one at a time, all) such that the backups which were wanted from t0 on at the earliest
//   and due at d at the latest, this one with them, and what was left of those that ran at t0 (a
//   backup is not interrupted) took more time together than that many places have between t0 and d,
//   without the host's outages.  Whatever the order from t0 on, one of them is late.
//
// unforeseen is told apart: its host or the service went down between r and d, or an attempt of it
// failed.  Who knows the future would have taken it earlier.
//
// Whether it was crowded takes long to find out: of a core that misses many, each of the first 2000
// is looked at, and then one in 50, for all of them.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "drivers/vmvaultd/lib/simulator.h"

namespace vmvaultd {

class Record {
 public:
  explicit Record(const Cloud& cloud);

  void began(const Start& start, Time now);
  void ended(int vm, bool good, Time now);
  void cut() { ++report_.cut; }
  void pass(double ms);
  void question(const Core& core, Time now);
  void restarted(const Core& core, Time since, Time now);
  Report finish(const Core& core, Time now);

 private:
  struct Try {
    Time since, begin, end;
  };
  struct Subject {
    Time base = 0;  // the newest good backup began
    bool has_one = false;
    Time wish = -1;  // of the last attempt
    bool running = false;
    int host = -1, datastore = -1, job = -1;
    std::vector<Try> tries{};  // after the newest good one
  };
  struct Work {  // one attempt
    Time wanted, due, begin, end;
    int host, datastore, job;
  };
  struct Late {
    Work work;
    bool unforeseen = false;
    std::size_t stands_for = 1;
  };

  const Vm& vm(int id) const { return cloud_.state().vms[static_cast<std::size_t>(id)]; }
  const Job* job(int id) const;
  void check_limits(const Start& start, Time now);
  void judge(int id, Subject& subject, Time now);
  Time alone(int id, const Subject& subject) const;
  Time when_possible(int host, const Job* job, Time time) const;
  bool crowded(const Work& late) const;
  template <class Same>
  bool full(const Work& late, int places, int host, Same same) const;
  void remember_late(const Late& late);
  void judge_late(Time until);
  template <class Same>
  bool held(const Work& late, int places, Same same) const;
  bool unforeseen(const Subject& subject, Time due) const;
  Time down(int host, Time begin, Time end) const;

  const Cloud& cloud_;
  Report report_;
  std::vector<Subject> subjects_;
  std::map<int, int> hosts_, datastores_, jobs_;
  int all_ = 0;
  std::map<int, std::vector<Outage>> outages_;
  std::deque<Work> works_;  // by when their success ended
  std::size_t lates_ = 0;   // so far
  std::deque<Late> late_;   // to be judged when all that was due as early has ended, too
};

}  // namespace vmvaultd
