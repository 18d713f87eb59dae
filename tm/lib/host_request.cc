// SPDX-License-Identifier: Apache-2.0
#include "tm/lib/host_request.h"

#include <charconv>
#include <cstdlib>

#include "common/error.h"
#include "common/one/location.h"

namespace {

Settings read_list(const XmlNode& root, const std::string& name) {
  Settings out;
  if (const auto list = root.first(name))
    for (const auto& one : list->children()) out[one.name()] = one.text();
  return out;
}

void override(Settings& settings, const Settings& by) {
  for (const auto& [name, value] : by)
    if (!value.empty()) settings[name] = value;
}

void check_paths(const Settings& settings) {
  for (const auto* name : {"SCRATCH_PATH", "SOCKET_DIR"}) {
    const auto found = settings.find(name);
    if (found == settings.end() || found->second.empty()) continue;
    try {
      normal_path(found->second);
    } catch (const BadRequest& e) {
      throw BadRequest{std::string{"the setting "} + name + ": " + e.what()};
    }
  }
}

}  // namespace

Settings settings_of_this_host() {
  const char* path = getenv("VMVAULT_HOST_CONF");
  const auto all = read_settings(path && *path ? path : "/etc/vmvault/host.conf");
  Settings out;
  for (const auto* name : host_settings)
    if (const auto found = all.find(name); found != all.end()) out.insert(*found);
  return out;
}

HostRequest HostRequest::parse(std::string_view xml, const Settings& host) {
  const Xml document{xml};
  const XmlNode root = document.root();
  if (root.name() != "BACKUP_HOST") throw BadRequest{"the request is no BACKUP_HOST document"};
  HostRequest request;
  request.vm_dir = normal_path(root.at("VM_DIR"));
  request.backup_dir = normal_path(root.at("BACKUP_DIR"));
  if (request.backup_dir.filename() != "backup")
    throw BadRequest{"'" + request.backup_dir.string() + "' is no backup directory"};
  request.disk_ids = parse_disk_ids(root.at("DISKS"));
  request.live = root.at("LIVE") == "YES";
  request.take_over = root.find("TAKE_OVER") == "YES";
  request.reader = root.find("READER").value_or("");
  request.bridge = root.find("BRIDGE") == "YES";
  request.libvirt_uri = root.at("LIBVIRT_URI");
  request.settings = read_list(root, "SETTINGS");
  request.datastore = read_list(root, "DATASTORE_SETTINGS");
  override(request.settings, host);
  override(request.settings, request.datastore);
  check_paths(request.settings);
  const auto vm = root.first("VM");
  if (!vm) throw BadRequest{"the request has no VM"};
  request.vm_xml = vm->dump();
  request.vm = Vm::parse(*vm);
  for (const int id : request.disk_ids)
    if (request.vm.disk(id).rbd.empty() && request.bridge)
      throw BadRequest{"a bridge cannot read disk " + std::to_string(id) +
                       ", which is not in Ceph"};
  return request;
}

HostRequest HostRequest::for_bridge() const {
  HostRequest out = *this;
  out.bridge = true;
  out.reader.clear();
  out.vm_dir = vm_dir / "bridge";
  return out;
}

std::string HostRequest::to_xml() const {
  const Xml document = Xml::create("BACKUP_HOST");
  XmlNode root = document.root();
  root.add("VM_DIR", vm_dir.string());
  root.add("BACKUP_DIR", backup_dir.string());
  std::string ids;
  for (const int id : disk_ids) ids += (ids.empty() ? "" : ":") + std::to_string(id);
  root.add("DISKS", ids);
  root.add("LIVE", live ? "YES" : "NO");
  root.add("TAKE_OVER", take_over ? "YES" : "NO");
  if (!reader.empty()) root.add("READER", reader);
  if (bridge) root.add("BRIDGE", "YES");
  root.add("LIBVIRT_URI", libvirt_uri);
  XmlNode list = root.add("SETTINGS");
  for (const auto& [name, value] : settings) list.add(name, value);
  XmlNode datastore_list = root.add("DATASTORE_SETTINGS");
  for (const auto& [name, value] : datastore) datastore_list.add(name, value);
  root.add_copy(Xml{vm_xml}.root());
  return document.dump();
}

std::vector<int> HostRequest::rbd_disks() const {
  std::vector<int> out;
  for (const int id : disk_ids)
    if (!vm.disk(id).rbd.empty()) out.push_back(id);
  return out;
}

std::vector<int> HostRequest::lvm_disks() const {
  std::vector<int> out;
  for (const int id : disk_ids)
    if (!vm.disk(id).lvm.empty()) out.push_back(id);
  return out;
}

std::vector<int> HostRequest::file_disks() const {
  std::vector<int> out;
  for (const int id : disk_ids)
    if (vm.disk(id).is_file()) out.push_back(id);
  return out;
}

std::string HostRequest::setting(const std::string& name, const std::string& fallback) const {
  const auto found = settings.find(name);
  return found == settings.end() || found->second.empty() ? fallback : found->second;
}

std::int64_t HostRequest::number(const std::string& name, std::int64_t fallback) const {
  const std::string text = setting(name, "");
  if (text.empty()) return fallback;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0)
    throw BadRequest{"the setting " + name + " is no number: '" + text + "'"};
  return value;
}
