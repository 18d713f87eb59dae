// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/watch.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string>

#include "common/cancel.h"
#include "common/error.h"
#include "common/number.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/watching.h"

namespace cli {
namespace {

constexpr std::chrono::seconds patience{120};
constexpr int lcm_restore = 71;  // contract 1.2

Xml machine(const Core& service, int vm) {
  return Xml{service.text("one.vm.info", {vm, false}, patience)};
}

// What the queue says of the machine: what to tell, or nothing when it is not in there.
std::optional<std::string> now(const Core& service, int vm) {
  const Xml queue{service.text("one.vmvault.queue", {}, patience)};
  std::optional<std::string> waits;
  for (const auto& one : Element{queue}.children("VM")) {
    if (one.number("ID") != vm) continue;
    const auto started = one.number("STARTED");
    if (started >= 0) return "is backed up since " + local_time(started);
    waits = one.text("WHY");
  }
  return waits;
}

void watch(const Core& service, int vm) {
  Meter meter;
  std::string said;
  while (const auto text = now(service, vm)) {
    if (*text != said)
      note(text->starts_with("VM ") ? *text : "VM " + std::to_string(vm) + " " + *text);
    said = *text;
    tell(meter, progress_in(Element{machine(service, vm)}.child("MONITORING")));
    pause();
  }
}

// Why it has failed; empty: it is done.
std::string restored(const Core& service, int vm) {
  Meter meter;
  for (;; pause()) {
    const auto document = machine(service, vm);
    const Element now{document};
    if (now.number("LCM_STATE") != lcm_restore) return now.child("USER_TEMPLATE").text("ERROR");
    tell(meter, progress_in(now.child("MONITORING")));
  }
}

}  // namespace

BackupsThere backups_there(const Core& service, int vm) {
  const auto document = machine(service, vm);
  const auto backups = Element{document}.child("BACKUPS");
  BackupsThere there;
  for (const auto& id : backups.child("BACKUP_IDS").children("ID"))
    there.newest_image = std::max(there.newest_image, parse_int(id.text(), 0).value_or(-1));
  there.last_increment =
      static_cast<int>(backups.child("BACKUP_CONFIG").number("LAST_INCREMENT_ID"));
  const auto about = Element{document}.child("USER_TEMPLATE");
  there.failed = about.number("BACKUP_ERROR_ATTEMPT");
  there.why = about.text("BACKUP_ERROR");
  return there;
}

void watch_backup(const Core& service, int vm, const BackupsThere& before) {
  try {
    watch(service, vm);
  } catch (const Cancelled&) {
    note("the backup of VM " + std::to_string(vm) + " goes on ('vmvault vm backup-cancel " +
         std::to_string(vm) + "' ends it)");
    throw;
  }
  const auto after = backups_there(service, vm);
  if (after.newest_image == before.newest_image && after.last_increment == before.last_increment)
    throw Error{"there is no new backup of VM " + std::to_string(vm) + ": " +
                (after.failed > before.failed
                     ? one_line(after.why)
                     : "the service's log says why ('journalctl -u vmvaultd')")};
  std::printf("VM %d is backed up: image %d\n", vm, after.newest_image);
}

void watch_restore(const Core& service, int vm, int image) {
  const auto name = "VM " + std::to_string(vm);
  const auto what = " restored from image " + std::to_string(image);
  note(name + " is being" + what);
  std::string why;
  try {
    why = restored(service, vm);
  } catch (const Cancelled&) {
    note("the restore of " + name + " goes on");
    throw;
  }
  if (!why.empty()) throw Error{name + " could not be" + what + ": " + one_line(why)};
  std::printf("%s is%s\n", name.c_str(), what.c_str());
}

}  // namespace cli
