// SPDX-License-Identifier: Apache-2.0
// Which backups of a machine go, and why the others stay.  A plan only: nobody is asked, and
// nothing is removed here.
//
// The rules look at restore points (a full, an increment) of one machine on one datastore:
//
// * KEEP_LAST=n (contract 5.5): the newest n points of the newest n images.  Of full backups that
// is n
//   backups; a chain keeps n points, and n chains stay.
// * KEEP_DAILY=n, KEEP_WEEKLY, KEEP_MONTHLY, KEEP_YEARLY: of each of the last n days (weeks...) in
//   which there was a backup, the newest.  Days, months and years are those of the wall
//   (calendar.h: a day with a change of summer time is one day), weeks are ISO 8601's and begin on
//   Monday.  Days without a backup do not count.
// * -1 is all, 0 is none.  Without any rule everything stays.  A point stays when one rule keeps
// it.
//
// Counting::each is how `restic forget` counts: every rule by itself, so that the newest point is
// also the day's and the month's.  (What restic adds, to keep the oldest while a rule is not full,
// is left out: no chain could be shortened before its first year is over.)  Counting::in_turn is
// how Proxmox counts: last, daily, weekly, monthly, yearly, and each rule passes over the periods
// that an earlier one has kept a point of, so that the same numbers reach further back.
//
// Protected images stay as they are, and count for no rule, as Proxmox has it.  Nor do points that
// are damaged, or build on a damaged one: they must not take the place of a good one.  The newest
// good point (by its number: a clock may have been wrong) always stays; where there is none,
// everything does.
//
// Nor, for the rules of days, weeks, months and years, do points that bear a date to come: a clock
// was wrong then, or is now, and nobody can say which.  They stay until that date, and take no
// other's place.
//
// No chain is broken.  A point is needed by all that follow it in its image, so only this is done:
// * An image of which no point is kept is deleted whole, unless it is the one that the next
// increment
//   goes to, or something works on it.
// * The points before the first kept one are merged into it (flatten, contract 4.9).  The others
// stay
//   until they are among those; so does the end of a chain.
#pragma once

#include <string>
#include <vector>

#include "drivers/vmvaultd/lib/calendar.h"

namespace vmvaultd {

enum class Counting { each, in_turn };

struct Keep {
  int last = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0;
  Counting counting = Counting::each;
};

struct RestorePoint {
  int increment = 0;
  Time time = 0;
  bool damaged = false;
};

struct BackupImage {
  int id = -1;
  std::vector<RestorePoint> points{};  // oldest first
  bool is_protected = false;
  bool active = false;  // the next increment goes to it
  bool busy = false;    // it is being flattened, deleted, restored, or is in no state for it
};

struct Fate {
  int image = -1;
  int increment = 0;
  Time time = 0;
  enum class End { stays, merged, deleted } end = End::stays;
  std::string why;  // "last of 2026-11 (KEEP_MONTHLY)"
};

struct Flatten {
  int image = -1;
  int keep_last = 0;  // the driver's KEEP_LAST: as many points stay
};

struct RetentionPlan {
  std::vector<Fate> fates;  // of all points, newest first
  std::vector<int> deletes;
  std::vector<Flatten> flattens;
};

// BadRequest for a rule below -1.
RetentionPlan plan_retention(const std::vector<BackupImage>& images, const Keep& keep, Time now);

// A line per point: what would become of it, and why.
std::string dry_run(const RetentionPlan& plan);

}  // namespace vmvaultd
