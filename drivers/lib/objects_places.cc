// SPDX-License-Identifier: Apache-2.0
// Those who have no owner: hosts, datastores, users.
#include <array>

#include "drivers/lib/object_parts.h"

namespace objects {
namespace {

constexpr int image_datastore_type = 0, backup_datastore_type = 3;

// As the core counts them.
int host_state(const state::HostView& host) {
  constexpr int monitored = 2, error = 3, disabled = 4, offline = 8;
  if (host.status == "OFFLINE") return offline;
  if (host.status == "DISABLED") return disabled;
  return host.up ? monitored : error;
}

void quotas(XmlWriter& out) {
  for (const auto* name : {"DATASTORE_QUOTA", "NETWORK_QUOTA", "VM_QUOTA", "IMAGE_QUOTA"})
    out.open(name).close(name);
}

void place(XmlWriter& out, std::string_view ds_mad, std::string_view tm_mad, std::string_view base,
           std::int64_t type) {
  permissions(out, 1);
  out.text("DS_MAD", ds_mad).text("TM_MAD", tm_mad).text("BASE_PATH", base).number("TYPE", type);
  out.number("DISK_TYPE", 0).number("STATE", 0).ids("CLUSTERS", std::array{0});
}

}  // namespace

std::string host(const state::HostView& view) {
  const int state = host_state(view);
  XmlWriter out;
  out.open("HOST").number("ID", view.id).text("NAME", view.name);
  out.number("STATE", state).number("PREV_STATE", state).text("IM_MAD", "kvm");
  out.text("VM_MAD", "kvm").number("CLUSTER_ID", 0).text("CLUSTER", "default");
  out.open("HOST_SHARE");
  for (const auto* name :
       {"MEM_USAGE", "CPU_USAGE", "TOTAL_MEM", "TOTAL_CPU", "MAX_MEM", "MAX_CPU"})
    out.number(name, 0);
  out.number("RUNNING_VMS", static_cast<std::int64_t>(view.vms.size())).number("VMS_THREAD", 1);
  for (const auto* name : {"DATASTORES", "PCI_DEVICES", "NUMA_NODES"}) out.open(name).close(name);
  out.close("HOST_SHARE").ids("VMS", view.vms).open("TEMPLATE");
  if (!view.emulator_cpus.empty()) out.text("EMULATOR_CPUS", view.emulator_cpus);
  if (view.max_backups) out.number("MAX_BACKUPS", *view.max_backups);
  out.text("URI", view.uri).close("TEMPLATE").open("MONITORING").close("MONITORING");
  return out.close("HOST").take();
}

std::string user(const state::UserRecord& user, const std::vector<state::LoginToken>& tokens) {
  const int group = static_cast<int>(user.group);
  XmlWriter out;
  out.open("USER").number("ID", user.id).number("GID", group).ids("GROUPS", std::array{group});
  out.text("GNAME", state::name_of(user.group)).text("NAME", user.name);
  // The hash is nobody's business, and neither is a token once it was given out.
  out.text("PASSWORD", "-").text("AUTH_DRIVER", "core").number("ENABLED", user.enabled ? 1 : 0);
  for (const auto& token : tokens) {
    out.open("LOGIN_TOKEN").text("TOKEN", "-").number("EXPIRATION_TIME", token.expires);
    out.number("EGID", -1).close("LOGIN_TOKEN");
  }
  out.open("TEMPLATE");
  out.raw(attributes_of(user.attributes));
  out.close("TEMPLATE");
  quotas(out);
  out.open("DEFAULT_USER_QUOTAS");
  quotas(out);
  return out.close("DEFAULT_USER_QUOTAS").close("USER").take();
}

std::string datastore(const XmlNode& file, const std::vector<int>& images,
                      const state::Space& space, const Attributes& settings, const Owners& owners,
                      bool secrets) {
  XmlWriter out;
  out.open("DATASTORE");
  identity(out, static_cast<int>(file.number_at("ID")), state::first_user,
           file.find("NAME").value_or(""), owners);
  place(out, file.find("DS_MAD").value_or("-"), file.find("TM_MAD").value_or("-"),
        file.find("BASE_PATH").value_or(""), backup_datastore_type);
  out.number("TOTAL_MB", space.total_mib).number("FREE_MB", space.free_mib);
  out.number("USED_MB", space.used_mib).ids("IMAGES", images).open("TEMPLATE");
  for (const auto& one : file.find_all("TEMPLATE/*"))
    if (secrets || !is_secret(one.name())) out.text(one.name(), one.text());
  for (const auto& [name, value] : settings) out.text(name, value);
  return out.close("TEMPLATE").close("DATASTORE").take();
}

std::string image_datastore(const state::DatastoreRecord& one, const std::string& directory,
                            const std::vector<int>& images, const Owners& owners) {
  XmlWriter out;
  out.open("DATASTORE");
  identity(out, one.id, state::first_user, one.name, owners);
  place(out, one.ds_mad, "qcow2", directory, image_datastore_type);
  for (const auto* name : {"TOTAL_MB", "FREE_MB", "USED_MB"}) out.number(name, 0);
  out.ids("IMAGES", images).open("TEMPLATE").text("TYPE", "IMAGE_DS");
  if (!one.error.empty()) out.text("ERROR", one.error);
  return out.close("TEMPLATE").close("DATASTORE").take();
}

bool is_secret(std::string_view name) {
  for (const auto* word : {"PASSW", "SECRET", "ACCESS_KEY", "PRIVATE", "TOKEN"})
    if (name.find(word) != name.npos) return true;
  return false;
}

}  // namespace objects
