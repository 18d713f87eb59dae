// SPDX-License-Identifier: Apache-2.0
#include "common/version.h"
#include "drivers/lib/xml_writer.h"
#include "drivers/vmvaultd/lib/api_methods.h"
#include "drivers/vmvaultd/lib/queue.h"

namespace api {
namespace {

// Of the core whose methods these are: its clients look at it.
constexpr const char* core_version = "7.4.0";

Argument core(Request&) { return core_version; }

Argument config(Request& request) {
  request.need_admin();
  const auto limits =
      request.order([](auto& orders) { return orders.scheduler().state().policy.limits; });
  XmlWriter out;
  out.open("OPENNEBULA_CONFIGURATION").text("VMVAULT_VERSION", ::version);
  out.number("MAX_BACKUPS", limits.all).number("MAX_BACKUPS_HOST", limits.host);
  out.number("MAX_BACKUPS_DATASTORE", limits.datastore);
  return out.close("OPENNEBULA_CONFIGURATION").take();
}

// Who is no administrator sees what is theirs.
Argument queue(Request& request) {
  const auto show = request.caller().admin ? vmvaultd::Show::all : vmvaultd::Show::named;
  std::map<int, std::string> names;
  for (const auto& one : request.store().vms())
    if (request.caller().owns(one.owner)) names[one.id] = one.name;
  return request.order(
      [&](auto& orders) { return vmvaultd::queue_xml(orders.scheduler(), names, show); });
}

std::string group(Request& request, state::Group group) {
  std::vector<int> members;
  for (const auto& one : request.users().all())
    if (one.group == group) members.push_back(one.id);
  XmlWriter out;
  out.open("GROUP").number("ID", static_cast<int>(group)).text("NAME", state::name_of(group));
  out.open("TEMPLATE").close("TEMPLATE").ids("USERS", members).open("ADMINS").close("ADMINS");
  return out.close("GROUP").take();
}

Argument groups(Request& request) {
  request.need_admin();
  return objects::pool("GROUP_POOL",
                       {group(request, state::Group::admins), group(request, state::Group::users)});
}

}  // namespace

void add_system_methods(Methods& methods) {
  methods["one.system.version"] = core;
  methods["one.system.config"] = config;
  methods["one.grouppool.info"] = groups;
  methods["one.vmvault.queue"] = queue;
}

}  // namespace api
