// SPDX-License-Identifier: Apache-2.0
// What is made of backups.  All of it is in the file before it is begun, and begun again by the
// next service.
#include <unistd.h>

#include <cerrno>

#include "common/base64.h"
#include "common/error.h"
#include "common/number.h"
#include "drivers/vmvaultd/lib/manager.h"

namespace vmvaultd {

void Manager::make_files() {
  for (const auto& image : restores_.disk_images()) {
    if (image.state == state::ObjectState::deleting) {
      // What became nothing has no file: one of that name is another's.
      if (image.size_mib > 0 && unlink(image.source.c_str()) != 0 && errno != ENOENT)
        log('W', {"IMAGE", image.id},
            system_error("remove '" + image.source.string() + "'", errno).what());
      else
        restores_.remove_disk_image(image.id);
    } else if (image.state == state::ObjectState::locked &&
               fetching_.emplace("disk", image.id).second) {
      ways_.fetch("disk", image.id);
    }
  }
  for (const auto& one : restores_.templates())
    if (one.state == state::ObjectState::locked && fetching_.emplace("template", one.id).second)
      ways_.fetch("template", one.id);
}

void Manager::fetched(const std::string& what, int id, const std::string* out,
                      const std::string& error) {
  constexpr int most_tries = 3;
  fetching_.erase({what, id});
  std::string why = out ? "" : one_line(error);
  const auto name = (what == "disk" ? "image " : "template ") + std::to_string(id);
  const About about{what == "disk" ? "IMAGE" : "TEMPLATE", id};
  // Whoever fails says why: this one was killed, and its successor may not be.
  if (!out && why.empty() && ++killed_[{what, id}] < most_tries) {
    log('W', about, name + " is restored again: its restore was killed");
    return want_files();
  }
  killed_.erase({what, id});
  const auto origin = origin_of(what, id);
  const auto line = out ? out->substr(0, out->find('\n')) : "";
  if (line.empty() && why.empty()) why = "its restore has failed";
  if (what == "disk")
    restores_.end_disk_image(id, parse_number(line).value_or(0), why);
  else
    restores_.end_template(id, line.empty() ? "" : base64_decode(line), why);
  log(why.empty() ? 'I' : 'E', about, name + (why.empty() ? " is ready" : ": " + why));
  if (const auto backup = store_.image(origin)) want_tidy(backup->vm);  // it is not needed any more
}

// The backup that it is made of; -1: there is none.
int Manager::origin_of(const std::string& what, int id) const {
  if (what == "disk") {
    const auto disk = restores_.disk_image(id);
    return disk ? disk->origin.image : -1;
  }
  const auto one = restores_.one_template(id);
  return one ? one->origin.image : -1;
}

// Whoever restores takes the machine's lock, and keeps it when we are gone.
void Manager::begin_restores(Time now) {
  for (const int vm : restores_.open_restores()) {
    if (works_.contains(vm)) continue;
    works_.emplace(vm, Work{.lock = {}, .phase = Work::Phase::restoring});
    core_.hold(vm, now + day, "is restored");
    save();
    log('I', vm, "is restored");
    ways_.restore(vm);
  }
}

void Manager::restored(int vm, bool good, const std::string& error, Time now) {
  const auto found = works_.find(vm);
  if (found == works_.end() || found->second.phase != Work::Phase::restoring) return;
  const auto why = error.empty() ? "it has failed" : one_line(error);
  if (!good) restores_.end(vm, why);
  log(good ? 'I' : 'E', vm, good ? "its disks are restored" : "could not be restored: " + why);
  want_tidy(vm);
  release(vm, now);
}

}  // namespace vmvaultd
