// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/gc.h"

#include <cstdio>

#include "common/error.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/json.h"
#include "drivers/lib/gc.h"

namespace cli {
namespace {

std::string fate(const state::Orphan& orphan, bool dry_run) {
  if (!orphan.kept.empty()) return "stays: " + orphan.kept;
  if (orphan.removed) return "removed";
  return dry_run ? "to be removed" : "could not be removed";
}

Json to_json(const state::Sweep& found) {
  auto orphans = Json::array();
  for (const auto& one : found.orphans)
    orphans.push_back({{"vm", one.vm},
                       {"datastore", one.datastore},
                       {"name", one.name},
                       {"removed", one.removed},
                       {"kept", one.kept}});
  return {{"orphans", orphans}, {"problems", found.problems}};
}

}  // namespace

void gc(App& app, const GcOptions& options) {
  state::Sweep found;
  if (!options.dry_run) app.insist_on_place();
  if (app.has_state()) found = state::sweep(app.store(), app.home(), !options.dry_run);
  if (options.form == Form::json) {
    print(to_json(found));
  } else {
    for (const auto& one : found.orphans)
      std::printf("VM %d, datastore %d: %s %s\n", one.vm, one.datastore, one_line(one.name).c_str(),
                  fate(one, options.dry_run).c_str());
    if (found.orphans.empty() && found.problems.empty()) std::printf("nothing to collect\n");
  }
  for (const auto& problem : found.problems) note(problem);
  if (!found.problems.empty()) throw Error{"not everything could be looked at, or removed"};
}

}  // namespace cli
