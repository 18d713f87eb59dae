// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/prune.h"

#include <algorithm>
#include <cstdio>

#include "common/error.h"
#include "drivers/cli/lib/display.h"

namespace cli {

void prune(App& app, const PruneOptions& options) {
  const auto name = "datastore " + std::to_string(options.datastore);
  const auto known = app.store().datastore(options.datastore);
  if (known && known->ds_mad != "restic") {
    note(name + " gives back the space of what is deleted at once: there is nothing to prune");
    return;
  }
  if (!known && options.datastore != state::default_datastore)
    throw Error{"there is no " + name + " ('vmvault datastore list' shows what there is)"};
  if (!app.has_state()) {
    note("there is no backup yet: there is nothing to prune");
    return;
  }
  app.insist_on_place();
  auto command =
      app.datastore_action(options.datastore, "prune").arg(std::to_string(options.datastore));
  const auto vms = app.store().vms();
  if (options.all)
    for (const auto& vm : vms) command.arg(std::to_string(vm.id));
  command.err_lines([](std::string_view line) {
    for (const std::string_view level : {"ERROR:", "WARN:", "INFO:"})
      if (line.starts_with(level)) note(line.substr(line.find(':', level.size()) + 2));
  });
  const bool nothing = options.all && vms.empty();
  const auto finished = nothing ? Finished{} : command.run();
  insist(finished, "cannot prune " + name);
  const auto count = std::count(finished.out.begin(), finished.out.end(), '\n');
  if (count == 0)
    std::printf("%s: nothing to prune\n", name.c_str());
  else
    std::printf("%s: pruned %s\n", name.c_str(),
                count == 1 ? "1 repository" : (std::to_string(count) + " repositories").c_str());
}

}  // namespace cli
