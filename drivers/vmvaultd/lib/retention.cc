// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>

#include "common/error.h"

namespace vmvaultd {
namespace {

struct Point {
  const BackupImage* image;
  RestorePoint point;
  std::size_t index;  // in its image
  bool good;
  std::vector<std::string> kept_by{};
  bool passed_over = false;  // of a period that another point was kept of
};

struct Rule {
  const char* name;
  int count;
  int (*period)(int date);
  std::string (*text)(int date);
};

int month_of(int date) {
  const auto ymd = civil(date);
  return static_cast<int>(ymd.year()) * 12 + static_cast<int>(static_cast<unsigned>(ymd.month()));
}
int year_of(int date) { return static_cast<int>(civil(date).year()); }

std::string day_text(int date) { return wall_text(instant({date, 0})).substr(0, 10); }
std::string week_text(int date) {
  return fmt::format("{}-W{:02}", iso_week(date) / 100, iso_week(date) % 100);
}
std::string month_text(int date) { return day_text(date).substr(0, 7); }
std::string year_text(int date) { return day_text(date).substr(0, 4); }

std::vector<Rule> rules_of(const Keep& keep) {
  return {{"KEEP_DAILY", keep.daily, [](int date) { return date; }, day_text},
          {"KEEP_WEEKLY", keep.weekly, iso_week, week_text},
          {"KEEP_MONTHLY", keep.monthly, month_of, month_text},
          {"KEEP_YEARLY", keep.yearly, year_of, year_text}};
}

// Newest first, those of one instant by their numbers.
std::vector<Point> points_of(const std::vector<BackupImage>& images) {
  std::vector<Point> points;
  for (const auto& image : images) {
    bool good = true;
    for (std::size_t index = 0; index < image.points.size(); ++index) {
      good = good && !image.points[index].damaged;
      points.push_back({&image, image.points[index], index, good});
    }
  }
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return std::tuple{a.point.time, a.image->id, a.point.increment} >
           std::tuple{b.point.time, b.image->id, b.point.increment};
  });
  return points;
}

bool counts(const Point& point) { return point.good && !point.image->is_protected; }

std::pair<int, std::size_t> number(const Point& point) { return {point.image->id, point.index}; }

// By number, not by time, as the core has it: a clock that was wrong once does not matter.
void keep_last(std::vector<Point>& points, int count) {
  std::set<int, std::greater<>> images;
  for (const auto& point : points)
    if (counts(point)) images.insert(point.image->id);
  int nth_image = 0;
  for (const int image : images) {
    if (count >= 0 && nth_image++ >= count) return;
    std::vector<Point*> of_image;
    for (auto& point : points)
      if (point.image->id == image && counts(point)) of_image.push_back(&point);
    std::sort(of_image.begin(), of_image.end(),
              [](const Point* a, const Point* b) { return a->index > b->index; });
    for (std::size_t n = 0;
         n < of_image.size() && (count < 0 || n < static_cast<std::size_t>(count)); ++n)
      of_image[n]->kept_by.push_back(n == 0 ? "the last of its image (KEEP_LAST)"
                                            : "one of the last (KEEP_LAST)");
  }
}

// A wrong clock must neither push out what is dated rightly nor, being wrong now, all the rest.
void keep_what_is_to_come(std::vector<Point>& points, Time now) {
  for (auto& point : points)
    if (counts(point) && point.point.time > now)
      point.kept_by.push_back("its date is yet to come, a clock was wrong");
}

void apply(std::vector<Point>& points, const Rule& rule, Counting counting, Time now) {
  const bool in_turn = counting == Counting::in_turn;
  const auto period = [&](const Point& point) { return rule.period(wall(point.point.time).date); };
  std::set<int> covered, used;
  if (in_turn)
    for (const auto& point : points)
      if (!point.kept_by.empty()) covered.insert(period(point));
  for (auto& point : points) {
    if (!counts(point) || point.point.time > now) continue;
    if (in_turn && (!point.kept_by.empty() || point.passed_over)) continue;
    if (covered.contains(period(point))) continue;
    if (used.contains(period(point))) {
      point.passed_over = true;
      continue;
    }
    if (rule.count >= 0 && used.size() >= static_cast<std::size_t>(rule.count)) return;
    used.insert(period(point));
    point.kept_by.push_back(
        fmt::format("the last of {} ({})", rule.text(wall(point.point.time).date), rule.name));
  }
}

// The first point of the image that a rule keeps.
std::optional<std::size_t> first_kept(const std::vector<Point>& points, const BackupImage& image) {
  std::optional<std::size_t> first;
  for (const auto& point : points)
    if (point.image == &image && !point.kept_by.empty())
      first = std::min(first.value_or(point.index), point.index);
  return first;
}

const char* untouchable(const BackupImage& image) {
  if (image.is_protected) return "its image is protected";
  if (image.busy) return "its image is in use";
  return nullptr;
}

Fate judge(const Point& point, std::optional<std::size_t> first) {
  Fate fate{.image = point.image->id,
            .increment = point.point.increment,
            .time = point.point.time,
            .end = Fate::End::stays,
            .why = fmt::format("{}", fmt::join(point.kept_by, ", "))};
  if (!point.kept_by.empty()) return fate;
  if (const auto* why = untouchable(*point.image)) {
    fate.why = why;
  } else if (!first && point.image->active) {
    fate.why = "the next increment goes to its image";
  } else if (!first) {
    fate.end = Fate::End::deleted;
    fate.why = point.good ? "no rule keeps it, nor another of its image"
                          : "it is damaged, and no rule keeps another of its image";
  } else if (point.index < *first) {
    fate.end = Fate::End::merged;
    fate.why = fmt::format("no rule keeps it; increment {} takes it in",
                           point.image->points[*first].increment);
  } else {
    fate.why = "no rule keeps it, but a chain is shortened at its beginning only";
  }
  return fate;
}

}  // namespace

RetentionPlan plan_retention(const std::vector<BackupImage>& images, const Keep& keep, Time now) {
  const auto rules = rules_of(keep);
  const auto wrong = [](int count) { return count < -1; };
  const auto asked = [](const Rule& rule) { return rule.count != 0; };
  if (wrong(keep.last) ||
      std::any_of(rules.begin(), rules.end(), [&](const Rule& r) { return wrong(r.count); }))
    throw BadRequest{"a KEEP rule is a number, or -1 for all"};

  auto points = points_of(images);
  Point* newest = nullptr;
  for (auto& point : points)
    if (counts(point) && (newest == nullptr || number(point) > number(*newest))) newest = &point;
  if (keep.last == 0 && std::none_of(rules.begin(), rules.end(), asked)) {
    for (auto& point : points) point.kept_by.push_back("there is no rule");
  } else if (newest == nullptr) {
    for (auto& point : points) point.kept_by.push_back("there is no good one to keep instead");
  } else {
    if (keep.last != 0) keep_last(points, keep.last);
    if (std::any_of(rules.begin(), rules.end(), asked)) keep_what_is_to_come(points, now);
    for (const auto& rule : rules)
      if (asked(rule)) apply(points, rule, keep.counting, now);
    if (newest->kept_by.empty()) newest->kept_by.push_back("the newest");
  }

  RetentionPlan plan;
  for (const auto& image : images) {
    if (image.points.empty() || untouchable(image) != nullptr) continue;
    const auto first = first_kept(points, image);
    if (!first && !image.active) plan.deletes.push_back(image.id);
    if (first.value_or(0) > 0)
      plan.flattens.push_back({image.id, static_cast<int>(image.points.size() - *first)});
  }
  for (const auto& point : points)
    plan.fates.push_back(judge(point, first_kept(points, *point.image)));
  return plan;
}

std::string dry_run(const RetentionPlan& plan) {
  std::string text;
  for (const auto& fate : plan.fates) {
    const char* end = fate.end == Fate::End::stays    ? "stays"
                      : fate.end == Fate::End::merged ? "merged"
                                                      : "deleted";
    text += fmt::format("image {} increment {} of {}: {}: {}\n", fate.image, fate.increment,
                        wall_text(fate.time), end, fate.why);
  }
  return text;
}

}  // namespace vmvaultd
