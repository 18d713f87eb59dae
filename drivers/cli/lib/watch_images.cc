// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <sstream>
#include <vector>

#include "common/error.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/watch.h"
#include "drivers/cli/lib/watching.h"

namespace cli {
namespace {

constexpr std::chrono::seconds patience{120};
constexpr int all_that_i_may_see = -2;
constexpr int locked = 4, failed = 5, deleting = 7;  // contract 5.7

struct ImageNow {
  bool is_there = false;
  int state = -1;
  std::string error;
  std::optional<ProgressReport> progress;
};

// As a pool, which one that is gone is simply not in.
ImageNow image_now(const Core& service, int id) {
  const Xml pool{service.text("one.imagepool.info", {all_that_i_may_see, id, id}, patience)};
  const auto image = Element{pool}.child("IMAGE");
  if (!image) return {};
  const auto about = image.child("TEMPLATE");
  return {.is_there = true,
          .state = static_cast<int>(image.number("STATE")),
          .error = one_line(about.text("ERROR")),
          .progress = progress_in(about)};
}

Error failure(const std::string& what, const std::string& why) {
  return Error{what + ": " + (why.empty() ? "the service's log says why" : why)};
}

// Several are restored side by side: together they are one.
std::optional<ProgressReport> sum(const std::vector<ImageNow>& images) {
  std::optional<ProgressReport> all;
  for (const auto& one : images) {
    if (!one.progress) continue;
    if (!all) all = ProgressReport{.step = one.progress->step};
    all->done += one.progress->done;
    all->total += one.progress->total;
  }
  return all;
}

void wait_for_images(const Core& service, const std::vector<int>& ids) {
  Meter meter;
  for (;; pause()) {
    std::vector<ImageNow> now;
    for (const int id : ids) now.push_back(image_now(service, id));
    tell(meter, sum(now));
    if (std::any_of(now.begin(), now.end(),
                    [](auto& one) { return one.is_there && one.state == locked; }))
      continue;
    for (std::size_t at = 0; at < ids.size(); ++at) {
      const auto name = "image " + std::to_string(ids[at]);
      if (!now[at].is_there) throw Error{name + " was deleted meanwhile"};
      if (now[at].state == failed) throw failure(name + " could not be restored", now[at].error);
    }
    return;
  }
}

// It has no state of its own: while it is made it is empty.
void wait_for_template(const Core& service, int id) {
  for (;; pause()) {
    const Xml document{service.text("one.template.info", {id, false}, patience)};
    const auto about = Element{document}.child("TEMPLATE");
    if (const auto error = about.text("ERROR"); !error.empty())
      throw failure("template " + std::to_string(id) + " could not be made", one_line(error));
    if (!about.children().empty()) return;
  }
}

// What goes on when nobody waits for it any more.
template <class Wait>
void wait_or_say(const std::string& what, Wait wait) {
  try {
    wait();
  } catch (const Cancelled&) {
    note(what + " goes on");
    throw;
  }
}

}  // namespace

void watch_objects(const Core& service, int image, const std::string& made) {
  std::istringstream words{made};
  int vm_template = -1;
  words >> vm_template;
  std::vector<int> images;
  for (int id = -1; words >> id;) images.push_back(id);
  wait_or_say("the restore of image " + std::to_string(image), [&] {
    wait_for_images(service, images);
    if (vm_template >= 0) wait_for_template(service, vm_template);
  });
}

void watch_change(const Core& service, int image, const std::string& what) {
  wait_or_say("the " + what + " of image " + std::to_string(image), [&] {
    for (;; pause()) {
      const auto now = image_now(service, image);
      if (!now.is_there) return;
      if (now.state == locked || now.state == deleting) continue;
      if (now.error.empty()) return;
      throw failure("the " + what + " of image " + std::to_string(image) + " has failed",
                    now.error);
    }
  });
}

}  // namespace cli
