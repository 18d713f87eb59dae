// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/list.h"

#include <cstdio>

#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/json.h"

namespace cli {

void list(const App& app, Form form) {
  const auto images = app.store().images();
  if (form == Form::json) {
    auto all = Json::array();
    for (const auto& image : images) all.push_back(summary(app, image));
    print(all);
    return;
  }
  if (images.empty()) {
    note("there is no backup yet in '" + printable(app.home().var().string()) +
         "' ('vmvault backup DOMAIN' makes one)");
    return;
  }
  std::vector<std::vector<std::string>> rows{
      {"ID", "DOMAIN", "KIND", "INCREMENTS", "SIZE", "NEWEST", "PROVEN", "STATE"}};
  for (const auto& image : images)
    rows.push_back({std::to_string(image.id), app.store().vm(image.vm).value().name,
                    image.mode == Mode::full ? "full" : "chain",
                    std::to_string(image.increments.size()), size_text(bytes(image)),
                    image.increments.empty() ? "-" : local_time(image.increments.back().date),
                    image.increments.empty() ? "-" : proof_text(image.increments.back()),
                    state_text(app, image)});
  std::fputs(table(rows).c_str(), stdout);
}

}  // namespace cli
