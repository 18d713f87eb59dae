// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/queue.h"

#include "drivers/lib/xml_writer.h"
#include "drivers/vmvaultd/lib/words.h"

namespace vmvaultd {

namespace {

// Names are what a host says, and not always text.
void add(XmlWriter& out, const Request& request, const std::map<int, std::string>& names,
         const std::string& why) {
  const auto name = names.find(request.vm);
  out.open("VM").number("ID", request.vm);
  out.text("NAME", name == names.end() ? "" : name->second);
  out.number("DATASTORE_ID", request.datastore).number("JOB_ID", request.job);
  out.text("ORIGIN", words::origins[request.origin]).number("PRIORITY", request.priority);
  out.number("SINCE", request.since).number("STARTED", request.started);
  out.number("FAILURES", request.failures).text("WHY", why).close("VM");
}

}  // namespace

std::string queue_xml(const Scheduler& scheduler, const std::map<int, std::string>& names,
                      Show show) {
  XmlWriter out;
  out.open("QUEUE");
  const auto shown = [&](const Request& request) {
    return show == Show::all || names.contains(request.vm);
  };
  for (const auto& wait : scheduler.waits())
    if (shown(wait.request)) add(out, wait.request, names, wait.text);
  for (const auto& request : scheduler.state().requests)
    if (request.started >= 0 && shown(request)) add(out, request, names, "");
  return out.close("QUEUE").take();
}

}  // namespace vmvaultd
