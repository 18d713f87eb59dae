// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/queue.h"

#include "common/one/xml.h"
#include "drivers/vmvaultd/lib/words.h"

namespace vmvaultd {

namespace {

void add(XmlNode queue, const Request& request, const std::map<int, std::string>& names,
         const std::string& why) {
  const auto name = names.find(request.vm);
  auto vm = queue.add("VM");
  vm.add("ID", std::to_string(request.vm));
  vm.add("NAME", name == names.end() ? "" : name->second);
  vm.add("DATASTORE_ID", std::to_string(request.datastore));
  vm.add("JOB_ID", std::to_string(request.job));
  vm.add("ORIGIN", words::origins[request.origin]);
  vm.add("PRIORITY", std::to_string(request.priority));
  vm.add("SINCE", std::to_string(request.since));
  vm.add("STARTED", std::to_string(request.started));
  vm.add("FAILURES", std::to_string(request.failures));
  vm.add("WHY", why);
}

}  // namespace

std::string queue_xml(const Scheduler& scheduler, const std::map<int, std::string>& names,
                      Show show) {
  auto document = Xml::create("QUEUE");
  const auto shown = [&](const Request& request) {
    return show == Show::all || names.contains(request.vm);
  };
  for (const auto& wait : scheduler.waits())
    if (shown(wait.request)) add(document.root(), wait.request, names, wait.text);
  for (const auto& request : scheduler.state().requests)
    if (request.started >= 0 && shown(request)) add(document.root(), request, names, "");
  return document.dump();
}

}  // namespace vmvaultd
