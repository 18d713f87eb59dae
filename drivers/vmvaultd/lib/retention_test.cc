// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/retention.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "common/error.h"
#include "drivers/vmvaultd/lib/test_zone.h"

namespace vmvaultd {
namespace {

using End = Fate::End;

class RetentionTest : public testing::Test {
 protected:
  ScopedZone zone_{"UTC"};
  static constexpr Time noon = 1'790'596'800;  // Monday, 2026-09-28 12:00

  // Full backups, one each `step`; ids from 1, the newest last and at noon.
  static std::vector<BackupImage> fulls(int count, Time step) {
    std::vector<BackupImage> images;
    for (int id = 1; id <= count; ++id)
      images.push_back(
          {.id = id, .points = {{.increment = 0, .time = noon - (count - id) * step}}});
    return images;
  }

  static BackupImage chain(int id, int length, Time newest, bool active) {
    BackupImage image{.id = id, .active = active};
    for (int n = 0; n < length; ++n)
      image.points.push_back({.increment = n, .time = newest - (length - 1 - n) * day});
    return image;
  }

  static RetentionPlan planned(const std::vector<BackupImage>& images, const Keep& keep,
                               Time now = noon) {
    return plan_retention(images, keep, now);
  }

  static std::set<int> left(const std::vector<BackupImage>& images, const RetentionPlan& plan) {
    std::set<int> ids;
    for (const auto& image : images) ids.insert(image.id);
    for (const int id : plan.deletes) ids.erase(id);
    return ids;
  }

  static std::string fate(const RetentionPlan& plan, int image, int increment) {
    for (const auto& it : plan.fates)
      if (it.image == image && it.increment == increment) return it.why;
    return "there is none";
  }
  using Ids = std::set<int>;
};

TEST_F(RetentionTest, KeepsEverythingWithoutARule) {
  const auto plan = planned(fulls(5, day), {});
  EXPECT_TRUE(plan.deletes.empty());
  EXPECT_EQ(plan.fates.size(), 5U);
  EXPECT_THROW(planned({}, {.daily = -2}), BadRequest);
}

TEST_F(RetentionTest, KeepsTheLastByNumberWhateverTheirTime) {
  auto images = fulls(5, day);
  images[0].points[0].time = noon + 10'000 * day;  // a clock that was wrong
  EXPECT_EQ(left(images, planned(images, {.last = 2})), (Ids{4, 5}));
  EXPECT_EQ(left(images, planned(images, {.last = -1})).size(), 5U);
}

TEST_F(RetentionTest, WhatBearsADateToComeStaysAndTakesNobodysPlace) {
  auto images = fulls(9, day);
  for (const auto image : {2, 3, 4}) images[image].points[0].time += 400 * day;
  const auto plan = planned(images, {.daily = 2, .weekly = 1});
  EXPECT_EQ(left(images, plan), (Ids{3, 4, 5, 8, 9}));
  EXPECT_EQ(fate(plan, 4, 0), "its date is yet to come, a clock was wrong");
  EXPECT_EQ(left(images, planned(images, {.last = 3})), (Ids{7, 8, 9}));
  const Keep in_turn{.daily = 2, .counting = Counting::in_turn};
  EXPECT_EQ(left(images, planned(images, in_turn)), (Ids{3, 4, 5, 8, 9}));
  // A clock that is wrong now.
  images.push_back({.id = 10, .points = {{.increment = 0, .time = 5000}}});
  EXPECT_EQ(left(images, planned(images, {.daily = 2}, 6000)).size(), 10U);
}

TEST_F(RetentionTest, KeepsTheNewestOfEachOfTheLastDaysThatHaveOne) {
  auto images = fulls(6, 12 * hour);  // noon, midnight, noon...
  EXPECT_EQ(left(images, planned(images, {.daily = 2})), (Ids{4, 6}));
  images[5].points[0].time += 30 * day;  // days without a backup do not count
  EXPECT_EQ(left(images, planned(images, {.daily = 2}, noon + 30 * day)), (Ids{5, 6}));
}

TEST_F(RetentionTest, BeginsAWeekOnMondayAndAYearWithItsFirstThursday) {
  const auto images = fulls(8, day);  // Monday to Monday
  EXPECT_EQ(left(images, planned(images, {.weekly = 2})), (Ids{7, 8}));
  EXPECT_EQ(iso_week(wall(1'798'718'400).date), 202653);  // 2026-12-31
  EXPECT_EQ(iso_week(wall(1'798'977'600).date), 202653);  // 2027-01-03
  EXPECT_EQ(iso_week(wall(1'799'064'000).date), 202701);
}

TEST_F(RetentionTest, CountsEachRuleByItselfOrInTurn) {
  const auto images = fulls(40, day);  // 2026-08-20 to 2026-09-28
  const Keep keep{.daily = 2, .weekly = 2, .monthly = 2};
  EXPECT_EQ(left(images, planned(images, keep)), (Ids{12, 39, 40}));
  auto in_turn = keep;
  in_turn.counting = Counting::in_turn;
  // The days keep Sunday and Monday and so cover two weeks and a month: two more weeks, and August.
  EXPECT_EQ(left(images, planned(images, in_turn)), (Ids{12, 25, 32, 39, 40}));
}

TEST_F(RetentionTest, TakesTheDaysOfTheWall) {
  std::vector<BackupImage> images = fulls(2, hour);
  images[0].points[0].time = 1'774'738'800;  // 2026-03-29 00:00 in Berlin
  images[1].points[0].time =
      images[0].points[0].time + 22 * hour + 1800;  // 23:30, the day has 23 h
  ScopedZone berlin{berlin_time};
  EXPECT_EQ(left(images, planned(images, {.daily = 7})), (Ids{2}));
  ScopedZone utc{"UTC"};
  EXPECT_EQ(left(images, planned(images, {.daily = 7})), (Ids{1, 2}));
}

TEST_F(RetentionTest, LeavesWhatIsProtectedAndDoesNotCountIt) {
  auto images = fulls(4, day);
  images[3].is_protected = images[0].is_protected = true;
  const auto plan = planned(images, {.last = 1});
  EXPECT_EQ(left(images, plan), (Ids{1, 3, 4}));
  EXPECT_EQ(fate(plan, 1, 0), "its image is protected");
}

TEST_F(RetentionTest, NeverCountsADamagedBackupForAGoodOne) {
  auto images = fulls(4, day);
  images[3].points[0].damaged = images[1].points[0].damaged = true;
  EXPECT_EQ(left(images, planned(images, {.last = 2})), (Ids{1, 3}));
  for (auto& image : images) image.points[0].damaged = true;
  EXPECT_EQ(left(images, planned(images, {.last = 1})).size(), 4U);
}

TEST_F(RetentionTest, ShortensAChainAtItsBeginningOnly) {
  const std::vector images{chain(7, 10, noon, true)};
  const auto last = planned(images, {.last = 3});
  ASSERT_EQ(last.flattens.size(), 1U);
  EXPECT_EQ(last.flattens[0].image, 7);
  EXPECT_EQ(last.flattens[0].keep_last, 3);
  EXPECT_TRUE(last.deletes.empty());
  EXPECT_EQ(fate(last, 7, 6), "no rule keeps it; increment 7 takes it in");
  // Mondays 2026-09-21 and 28 are weeks 39 and 40: Sunday the 27th and Monday.
  const auto weekly = planned(images, {.weekly = 3});
  ASSERT_EQ(weekly.flattens.size(), 1U);
  EXPECT_EQ(weekly.flattens[0].keep_last, 9);
  EXPECT_EQ(fate(weekly, 7, 5), "no rule keeps it, but a chain is shortened at its beginning only");
}

TEST_F(RetentionTest, DeletesAChainWholeAndNeverTheActiveOne) {
  const std::vector images{chain(1, 3, noon - 40 * day, false), chain(2, 3, noon - 20 * day, true),
                           chain(3, 1, noon, false)};
  const auto plan = planned(images, {.daily = 1});
  EXPECT_EQ(plan.deletes, (std::vector{1}));
  EXPECT_EQ(fate(plan, 2, 1), "the next increment goes to its image");
  EXPECT_EQ(fate(plan, 1, 1), "no rule keeps it, nor another of its image");
}

TEST_F(RetentionTest, LeavesAnImageAloneThatIsInUse) {
  auto images = fulls(3, day);
  images[0].busy = true;
  EXPECT_EQ(left(images, planned(images, {.last = 1})), (Ids{1, 3}));
}

TEST_F(RetentionTest, SaysInADryRunWhatWouldGoAndWhy) {
  const auto images = fulls(2, day);
  EXPECT_EQ(
      dry_run(planned(images, {.last = 1, .monthly = 1})),
      "image 2 increment 0 of 2026-09-28 12:00: stays: the last of its image (KEEP_LAST), the "
      "last of 2026-09 (KEEP_MONTHLY)\n"
      "image 1 increment 0 of 2026-09-27 12:00: deleted: no rule keeps it, nor another of its "
      "image\n");
}

// At random: what stays can be restored, the newest good one stays, and a second run finds nothing.
TEST_F(RetentionTest, BreaksNoChainAndIsDoneAfterOneRun) {
  std::mt19937 random{3};
  const auto number = [&](int most) {
    return static_cast<int>(random() % static_cast<unsigned>(most + 1));
  };
  for (int round = 0; round < 2000; ++round) {
    std::vector<BackupImage> images;
    Time time = noon;
    for (int id = 1; id <= 1 + number(5); ++id) {
      BackupImage image{.id = id, .is_protected = number(9) == 0, .busy = number(9) == 0};
      for (int n = 0; n <= number(6); ++n)
        image.points.push_back(
            {.increment = n, .time = time += number(40) * hour, .damaged = number(19) == 0});
      images.push_back(image);
    }
    images.back().active = number(1) == 0;
    const Keep keep{.last = number(3),
                    .daily = number(3),
                    .weekly = number(2),
                    .monthly = number(2),
                    .counting = number(1) == 0 ? Counting::each : Counting::in_turn};
    const Time now = noon + number(50) * 10 * hour;
    const auto plan = planned(images, keep, now);

    std::map<std::pair<int, int>, End> ends;
    for (const auto& it : plan.fates) ends[{it.image, it.increment}] = it.end;
    std::vector<BackupImage> rest;
    for (const auto& image : images) {
      const bool gone = std::count(plan.deletes.begin(), plan.deletes.end(), image.id) > 0;
      BackupImage after = image;
      bool stayed = false;
      for (const auto& point : image.points) {
        const auto end = ends.at({image.id, point.increment});
        EXPECT_EQ(end == End::deleted, gone);
        EXPECT_FALSE(end == End::merged && stayed) << "a hole in image " << image.id;
        EXPECT_TRUE(end == End::stays || !(image.is_protected || image.busy));
        stayed |= end == End::stays;
      }
      EXPECT_TRUE(stayed || gone);
      std::erase_if(after.points, [&](const RestorePoint& point) {
        return ends.at({image.id, point.increment}) != End::stays;
      });
      for (const auto& flatten : plan.flattens) {
        if (flatten.image != image.id) continue;
        EXPECT_EQ(after.points.size(), static_cast<std::size_t>(flatten.keep_last));
      }
      if (!gone) rest.push_back(after);
    }
    const auto again = planned(rest, keep, now);
    EXPECT_TRUE(again.deletes.empty() && again.flattens.empty()) << dry_run(plan) << dry_run(again);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace vmvaultd
