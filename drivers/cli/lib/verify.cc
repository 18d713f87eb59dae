// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/verify.h"

#include <cstdio>
#include <ctime>

#include "common/base64.h"
#include "common/error.h"
#include "common/file.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/json.h"
#include "drivers/cli/lib/meter.h"
#include "drivers/lib/messages.h"
#include "drivers/lib/verdict.h"
#include "drivers/lib/work_dir.h"

namespace cli {
namespace {

std::string name_of(const state::ImageRecord& image) { return "image " + std::to_string(image.id); }

state::ImageRecord find_image(const App& app, const VerifyOptions& options) {
  const auto image = app.image(options.image);
  if (image.increments.empty()) throw Error{name_of(image) + " has no restore point"};
  if (image.half_deleted())
    throw Error{name_of(image) + " is half deleted: 'vmvault delete " + std::to_string(image.id) +
                "' again"};
  if (image.keep)
    throw Error{name_of(image) + " is being merged, or that was cut off: 'vmvault flatten " +
                std::to_string(image.id) + " --keep " + std::to_string(*image.keep) +
                "' goes on with it"};
  if (options.increment && !image.increment(*options.increment))
    throw BadRequest{name_of(image) + " has no increment " + std::to_string(*options.increment) +
                     " ('vmvault show " + std::to_string(image.id) + "' lists them)"};
  return image;
}

// What is known of the captures without the repository.
void write_known(const App& app, const state::ImageRecord& image, const std::filesystem::path& to) {
  for (const auto& one : image.increments) {
    // Where it does not say the sizes the store's own one does.
    if (!one.result.empty() && state::parse_result(one.result).says_sizes())
      write_file(to / ("vmvault.json." + std::to_string(one.id)), one.result);
    for (const auto& [file, sums] : app.store().sums(image.id, one.id)) write_file(to / file, sums);
  }
}

state::Verdict ask(const App& app, const state::ImageRecord& image, const VerifyOptions& options) {
  const state::WorkDir known{app.home()}, work{app.home()};
  write_known(app, image, known.path());
  const auto request =
      messages::datastore_action(messages::image(image), app.home().datastore(image.datastore));
  const auto finished = [&] {
    ProgressDisplay display{work.path() / "progress"};
    return app.datastore_action(image.datastore, "verify")
        .arg(options.read_data ? "data" : "structure")
        .arg(std::to_string(options.increment.value_or(-1)))
        .arg(known.path().string())
        .env("VMVAULT_PROGRESS", (work.path() / "progress").string())
        .input(base64_encode(request.dump()) + "\n")
        .err_lines([&](std::string_view line) {
          display.clear();
          note_warning(line);
        })
        .run();
  }();
  insist(finished, "cannot verify " + name_of(image));
  auto verdict = state::parse_verdict(finished.out);
  for (const auto& one : verdict.increments)
    if (!image.increment(one.id))
      throw Error{"the datastore's answer about " + name_of(image) + " is about another"};
  return verdict;
}

// What was found is of what is there no more.
void refuse_changed(const App& app, const state::ImageRecord& before) {
  const auto now = app.store().image(before.id);
  bool same =
      now && now->state == before.state && now->increments.size() >= before.increments.size();
  for (std::size_t i = 0; same && i < before.increments.size(); ++i)
    same = now->increments[i].source == before.increments[i].source;
  if (!same) throw Error{name_of(before) + " was changed while it was verified: try again"};
}

// One restore point: it is as good as all that it is made of.
struct Point {
  const state::IncrementVerdict* verdict;
  std::string damage;
  bool proven = false, sums = false;
};

std::vector<Point> judge(const state::Verdict& verdict) {
  std::vector<Point> points;
  bool proven = true, sums = true;
  const auto* damaged = verdict.first_damaged();
  for (const auto& one : verdict.increments) {
    proven = proven && one.proven();
    sums = sums && one.sums();
    auto damage = one.damage();
    if (damage.empty() && damaged && damaged->id < one.id)
      damage = "increment " + std::to_string(damaged->id) + ", which it needs, is corrupt";
    points.push_back({.verdict = &one, .damage = damage, .proven = proven, .sums = sums});
  }
  return points;
}

// The points before the first that the datastore speaks of are merged into that one.
bool is_merged(const state::BackupRecord& one, const std::vector<Point>& points) {
  return !points.empty() && one.id < points.front().verdict->id;
}

void record(App& app, const state::ImageRecord& image, const std::vector<Point>& points,
            const VerifyOptions& options) {
  const auto now = std::time(nullptr);
  // Earlier versions took what was merged for lost.
  for (const auto& one : image.increments)
    if (is_merged(one, points) && !one.damage.empty())
      app.store().note_check(image.id, one.id, std::nullopt, "");
  for (const auto& point : points)
    if (options.read_data || !point.damage.empty())
      app.store().note_check(image.id, point.verdict->id,
                             point.proven ? std::optional{now} : std::nullopt, point.damage);
}

std::string words(const Point& point, const VerifyOptions& options) {
  if (!point.damage.empty()) return "CORRUPT: " + point.damage;
  if (point.proven) return "proven";
  if (options.read_data) return "read, but not proven: no checksums of its capture";
  return point.sums ? "complete" : "complete, without checksums";
}

void print_text(const state::ImageRecord& image, const std::vector<Point>& points,
                const VerifyOptions& options) {
  std::vector<std::vector<std::string>> rows{{"INCREMENT", "DATE", "RESULT"}};
  for (const auto& one : image.increments)
    if (is_merged(one, points))
      rows.push_back({std::to_string(one.id), local_time(one.date),
                      "merged into increment " + std::to_string(points.front().verdict->id)});
  for (const auto& point : points)
    rows.push_back({std::to_string(point.verdict->id),
                    local_time(image.increment(point.verdict->id)->date),
                    printable(words(point, options))});
  std::fputs(table(rows).c_str(), stdout);
}

Json disk_json(const state::DiskVerdict& disk) {
  const auto number = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
  return {{"id", disk.id},
          {"file", disk.file},
          {"size", disk.size},
          {"checksums", disk.sums},
          {"proven", disk.proven},
          {"problem", disk.problem},
          {"offset", number(disk.offset)},
          {"guest_offset", number(disk.guest_offset)}};
}

Json document(const state::ImageRecord& image, const state::Verdict& verdict,
              const std::vector<Point>& points, const VerifyOptions& options) {
  Json out{{"image", image.id},
           {"read_data", options.read_data},
           {"corrupt", verdict.first_damaged() != nullptr || !verdict.repository.empty()},
           {"repository", verdict.repository},
           {"increments", Json::array()}};
  for (const auto& point : points) {
    Json one{{"id", point.verdict->id},
             {"proven", point.proven},
             {"checksums", point.sums},
             {"damage", point.damage},
             {"disks", Json::array()}};
    for (const auto& disk : point.verdict->disks) one["disks"].push_back(disk_json(disk));
    out["increments"].push_back(std::move(one));
  }
  return out;
}

void fail_if_corrupt(const state::ImageRecord& image, const state::Verdict& verdict) {
  if (const auto* damaged = verdict.first_damaged())
    throw Error{name_of(image) + " is corrupt: increment " + std::to_string(damaged->id) + ", " +
                damaged->damage()};
  if (!verdict.repository.empty())
    throw Error{"the repository of " + name_of(image) + " is damaged: " + verdict.repository};
}

}  // namespace

void verify(App& app, const VerifyOptions& options, Form form) {
  const auto begun = std::time(nullptr);
  const auto image = find_image(app, options);
  const auto verdict = ask(app, image, options);
  const auto points = judge(verdict);
  app.store().together([&] {
    refuse_changed(app, image);
    record(app, image, points, options);
  });
  if (form == Form::json)
    print(document(image, verdict, points, options));
  else
    print_text(image, points, options);
  fail_if_corrupt(image, verdict);
  if (form == Form::json) return;
  std::printf("%s: %s %s", name_of(image).c_str(),
              count_text(points.size(), "restore point").c_str(),
              options.read_data ? "read back" : "complete");
  if (options.read_data)
    std::printf(", %s in %s\n", size_text(verdict.bytes()).c_str(),
                duration_text(std::time(nullptr) - begun).c_str());
  else
    std::printf("; their data was not read (--read-data)\n");
}

}  // namespace cli
