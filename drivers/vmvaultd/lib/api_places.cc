// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/api_methods.h"

namespace api {
namespace {

// (id, decrypt): its passwords are for admins who ask for them.
Argument datastore_info(Request& request) {
  const int id = request.number(1);
  const bool secrets = request.call().flag(2, false) && request.caller().admin;
  auto found = request.answers().datastore(id, secrets);
  if (!found) throw no_such("DATASTORE", id);
  return *std::move(found);
}

Argument datastore_pool(Request& request) { return request.answers().datastores(); }

// (id, template, 0 replace | 1 merge): RPO, KEEP_*, MAX_BACKUPS, BACKUP_WINDOW...  What describes
// the datastore itself, and its ERROR, may be said again, as an editor does that was given all of
// it but its secrets; so it stays where it is not named.
Argument datastore_update(Request& request) {
  request.need_admin();
  const int id = request.number(1);
  if (!request.store().datastore(id)) throw no_such("DATASTORE", id);
  auto attributes = flat(parse(request.text(2)));
  const auto description = request.world().home.datastore(id);
  for (const auto& one : description.root().find_all("TEMPLATE/*"))
    if (const auto same = attributes.find(one.name());
        same != attributes.end() && same->second == one.text())
      attributes.erase(same);
  attributes.erase("ERROR");
  if (request.call().number(3, 0) == 0)
    for (const auto& [name, value] : request.store().settings(state::Store::Subject::datastore, id))
      attributes.try_emplace(name, "");
  request.order([&](auto& orders) { orders.configure_datastore(id, attributes); });
  return std::int64_t{id};
}

// What it is called, and what it is for, are the core's; a directory for disk images is ours.
int allocated(vmvaultd::Orders& orders, vmvaultd::Attributes attributes) {
  const auto type = attributes["TYPE"];
  if (type == "BACKUP_DS") return orders.add_datastore(attributes);
  if (type != "IMAGE_DS")
    throw BadRequest{"TYPE of a datastore is BACKUP_DS or IMAGE_DS, not '" + one_line(type) + "'"};
  if (const auto driver = attributes["DS_MAD"]; !driver.empty() && driver != "fs")
    throw BadRequest{"DS_MAD of an IMAGE_DS is fs, not '" + one_line(driver) + "'"};
  return orders.add_image_datastore(attributes["NAME"], attributes["DIRECTORY"]);
}

// (template, cluster): there is the one cluster.
Argument datastore_allocate(Request& request) {
  request.need_admin();
  const auto attributes = flat(parse(request.text(1)));
  if (const int cluster = request.call().number(2, -1); cluster != -1 && cluster != 0)
    throw no_such("CLUSTER", cluster);
  try {
    return std::int64_t{request.order([&](auto& orders) { return allocated(orders, attributes); })};
  } catch (const BadRequest& error) {
    throw Failure{Code::allocate, error.what()};
  }
}

Argument datastore_delete(Request& request) {
  request.need_admin();
  const int id = request.number(1);
  request.order([=](auto& orders) { orders.delete_datastore(id); });
  return std::int64_t{id};
}

Argument datastore_rename(Request& request) {
  request.need_admin();
  const int id = request.number(1);
  const auto& name = request.text(2);
  request.order([&](auto& orders) { orders.rename_datastore(id, name); });
  return std::int64_t{id};
}

// (name, im_mad, vm_mad, cluster, URI of its libvirt): the core has no fifth; without it, the host
// is reached by ssh under its name.
Argument host_allocate(Request& request) {
  request.need_admin();
  const auto name = request.text(1), uri = request.call().text(5, "");
  return std::int64_t{request.order([&](auto& orders) { return orders.add_host(name, uri); })};
}

Argument host_delete(Request& request) {
  request.need_admin();
  const int id = request.number(1);
  request.order([&](auto& orders) { orders.delete_host(id); });
  return std::int64_t{id};
}

// (id, template, 1 merge): MAX_BACKUPS, EMULATOR_CPUS, URI, which is never without a value.
Argument host_update(Request& request) {
  request.need_admin();
  const int id = request.number(1);
  auto attributes = flat(parse(request.text(2)));
  if (request.call().number(3, 0) == 0)
    for (const char* name : {"MAX_BACKUPS", "EMULATOR_CPUS"}) attributes.try_emplace(name, "");
  request.order([&](auto& orders) { orders.configure_host(id, attributes); });
  return std::int64_t{id};
}

// (id, 0 enabled | 1 disabled | 2 offline)
Argument host_status(Request& request) {
  request.need_admin();
  const int id = request.number(1), status = request.number(2);
  if (status < 0 || status > static_cast<int>(vmvaultd::Host::Status::offline))
    throw BadRequest{std::to_string(status) + " is no status of a host"};
  request.order([=](auto& orders) {
    orders.set_host_status(id, static_cast<vmvaultd::Host::Status>(status));
  });
  return std::int64_t{id};
}

Argument host_rename(Request& request) {
  request.need_admin();
  const int id = request.number(1);
  const auto& name = request.text(2);
  request.order([&](auto& orders) { orders.rename_host(id, name); });
  return std::int64_t{id};
}

Argument host_info(Request& request) {
  request.need_admin();
  const int id = request.number(1);
  auto found = request.answers().host(id);
  if (!found) throw no_such("HOST", id);
  return *std::move(found);
}

Argument host_pool(Request& request) {
  if (!request.caller().admin) return objects::pool("HOST_POOL", {});
  return request.answers().hosts();
}

}  // namespace

void add_place_methods(Methods& methods) {
  methods["one.datastore.info"] = datastore_info;
  methods["one.datastore.allocate"] = datastore_allocate;
  methods["one.datastore.delete"] = datastore_delete;
  methods["one.datastore.rename"] = datastore_rename;
  methods["one.host.allocate"] = host_allocate;
  methods["one.host.delete"] = host_delete;
  methods["one.host.update"] = host_update;
  methods["one.host.status"] = host_status;
  methods["one.host.rename"] = host_rename;
  methods["one.datastore.update"] = datastore_update;
  methods["one.datastorepool.info"] = datastore_pool;
  methods["one.host.info"] = host_info;
  methods["one.hostpool.info"] = host_pool;
}

}  // namespace api
