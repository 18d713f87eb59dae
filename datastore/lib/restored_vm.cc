// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/restored_vm.h"

#include <algorithm>
#include <regex>
#include <set>

#include "common/base64.h"
#include "common/error.h"
#include "common/number.h"
#include "common/one/action.h"

using one::Attribute;
using one::Pairs;

namespace {

using Names = std::set<std::string>;

// What the core or a driver has added, by section.
const Names of_vm{"AUTOMATIC_DS_REQUIREMENTS",
                  "AUTOMATIC_NIC_REQUIREMENTS",
                  "AUTOMATIC_REQUIREMENTS",
                  "VMID",
                  "TEMPLATE_ID",
                  "TM_MAD_SYSTEM",
                  "SECURITY_GROUP_RULE",
                  "ERROR"};
const Names of_disk{"ALLOW_ORPHANS", "CLONE",        "CLONE_TARGET", "CLUSTER_ID",
                    "DATASTORE",     "DATASTORE_ID", "DISK_ID",      "DISK_SNAPSHOT_TOTAL_SIZE",
                    "DISK_TYPE",     "DRIVER",       "FORMAT",       "IMAGE",
                    "IMAGE_STATE",   "IMAGE_UID",    "IMAGE_UNAME",  "LN_TARGET",
                    "ORIGINAL_SIZE", "PERSISTENT",   "READONLY",     "OPENNEBULA_MANAGED",
                    "SAVE",          "SIZE",         "SOURCE",       "TARGET",
                    "TM_MAD",        "TYPE"};
const Names of_nic{"AR_ID",  "BRIDGE", "BRIDGE_TYPE", "CLUSTER_ID", "NAME",   "NETWORK_ID",
                   "NIC_ID", "TARGET", "VLAN_ID",     "VN_MAD",     "PHYDEV", "VLAN_TAGGED_ID"};
const Names addresses{"IP", "IP6", "IP6_ULA", "IP6_GLOBAL", "MAC"};
const Names of_pci{"ADDRESS",   "BUS",           "DOMAIN", "FUNCTION",   "NUMA_NODE",
                   "PCI_ID",    "SHORT_ADDRESS", "SLOT",   "VM_ADDRESS", "VM_BUS",
                   "VM_DOMAIN", "VM_FUNCTION",   "VM_SLOT"};

Pairs without(Pairs pairs, const Names& names) {
  std::erase_if(pairs, [&](const auto& pair) { return names.contains(pair.first); });
  return pairs;
}

const std::string* find(const Pairs& pairs, const std::string& name) {
  const auto found = std::find_if(pairs.begin(), pairs.end(),
                                  [&](const auto& pair) { return pair.first == name; });
  return found == pairs.end() ? nullptr : &found->second;
}

std::string value(const Pairs& pairs, const std::string& name) {
  const auto* found = find(pairs, name);
  return found ? *found : "";
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

// In the place of the image that it had, or last.
Pairs with_image(Pairs disk, const std::string& id) {
  for (auto& [name, image] : disk)
    if (name == "IMAGE_ID") return image = id, disk;
  disk.emplace_back("IMAGE_ID", id);
  return disk;
}

// nullopt: the machine has to do without.
std::optional<Pairs> restored_disk(const Pairs& disk, const RestoredVm& restored) {
  const auto id = parse_int(value(disk, "DISK_ID"));
  const auto type = upper(value(disk, "TYPE"));
  const Pairs plain = without(disk, of_disk);
  if (id)
    if (const auto image = restored.images.find(*id); image != restored.images.end())
      return with_image(plain, std::to_string(image->second));
  if (type == "FS" || type == "SWAP") {
    Names removed = of_disk;
    removed.erase("TYPE");
    removed.erase("SIZE");
    return without(disk, removed);
  }
  const bool shared = type == "CDROM" || type == "RBD_CDROM" ||
                      (upper(value(disk, "PERSISTENT")) != "YES" && find(disk, "IMAGE_ID"));
  const std::string which = "disk " + one_line(value(disk, "DISK_ID"));
  if (!shared) {
    log(Level::warn, which + " is not in the backup, and the restored VM has none in its place");
    return std::nullopt;
  }
  if (!type.ends_with("CDROM"))
    log(Level::warn, which + " is not in the backup: the restored VM has its image as it is now");
  return plain;
}

Pairs restored_nic(const Pairs& nic, const RestoredVm& restored) {
  Pairs plain = without(nic, of_nic);
  if (restored.no_ip) plain = without(plain, addresses);
  // The core takes one address as the request, and derives the others.
  if (find(plain, "IP")) return without(plain, {"MAC", "IP6", "IP6_ULA", "IP6_GLOBAL"});
  if (find(plain, "IP6")) return without(plain, {"MAC"});
  return plain;
}

// The network's part of it is made anew for each VM.
Pairs restored_context(Pairs context) {
  static const std::regex network{"ETH[0-9]?|PCI[0-9]?"};
  std::erase_if(context, [](const auto& pair) {
    return pair.first == "DISK_ID" || std::regex_search(pair.first, network);
  });
  return context;
}

std::optional<Pairs> restored_section(const std::string& name, const Pairs& pairs,
                                      const RestoredVm& restored) {
  if (name == "DISK") return restored_disk(pairs, restored);
  if (name == "NIC")
    return restored.no_nic ? std::nullopt : std::optional{restored_nic(pairs, restored)};
  if (name == "CONTEXT") return restored_context(pairs);
  if (name == "GRAPHICS") return without(pairs, {"PORT"});
  if (name == "NUMA_NODE") return without(pairs, {"CPUS", "MEMORY_NODE_ID", "NODE_ID"});
  if (name == "OS") return without(pairs, {"UUID"});
  if (name == "PCI") return without(without(pairs, of_nic), of_pci);
  return pairs;
}

Pairs pairs_of(const XmlNode& section) {
  Pairs pairs;
  for (const auto& child : section.children())
    if (auto text = child.text(); !text.empty()) pairs.emplace_back(child.name(), std::move(text));
  return pairs;
}

void add_section(one::Template& out, const XmlNode& node, const RestoredVm& restored) {
  const auto name = node.name();
  if (of_vm.contains(name) || name == "NAME" || name == "TPM_STATE") return;
  if (node.children().empty()) {
    if (auto text = node.text(); !text.empty()) out.push_back({name, std::move(text)});
    return;
  }
  auto pairs = restored_section(name, pairs_of(node), restored);
  if (pairs && !pairs->empty()) out.push_back({name, *std::move(pairs)});
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) (c == '"' ? out += '\\' : out) += c;
  return out;
}

bool ends_in_backslash(const Attribute& attribute) {
  const auto ends = [](const std::string& text) { return text.ends_with('\\'); };
  if (const auto* text = std::get_if<std::string>(&attribute.value)) return ends(*text);
  const auto& pairs = std::get<Pairs>(attribute.value);
  return std::any_of(pairs.begin(), pairs.end(),
                     [&](const auto& pair) { return ends(pair.second); });
}

void check_names(const one::Template& attributes) {
  const auto check = [](const std::string& name) {
    if (name.empty() ||
        name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789_") != name.npos)
      throw BadRequest{"not the name of an attribute: '" + one_line(name) + "'"};
  };
  for (const auto& [name, value] : attributes) {
    check(name);
    if (const auto* pairs = std::get_if<Pairs>(&value))
      for (const auto& pair : *pairs) check(pair.first);
  }
}

std::string to_xml(const one::Template& attributes) {
  const Xml document = Xml::create("TEMPLATE");
  for (const auto& [name, value] : attributes) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      document.root().add(name, *text);
      continue;
    }
    XmlNode section = document.root().add(name);
    for (const auto& [key, text] : std::get<Pairs>(value)) section.add(key, text);
  }
  return document.dump();
}

}  // namespace

std::string image_template(const std::string& base, const DiskUrl& url) {
  const auto id = url.disk_id();
  std::string out = "NAME = \"" + escaped(base) + "-disk-" + std::to_string(id) + "\"\n" +
                    "TYPE = \"" + (id == 0 ? "OS" : "DATABLOCK") + "\"\n\n" + "PATH = \"" +
                    escaped(url.text()) + "\"\n" + "FROM_BACKUP_DS = \"" +
                    std::to_string(url.datastore_id) + "\"\n";
  if (url.job_id) out += "BACKUP_JOB_ID = \"" + std::to_string(*url.job_id) + "\"\n";
  return out;
}

one::Template vm_template(const XmlNode& vm, const RestoredVm& restored) {
  one::Template out;
  for (const auto& node : vm.find_all("TEMPLATE/*")) add_section(out, node, restored);
  // Of a name in both, the machine's own counts.
  Names own;
  for (const auto& node : vm.find_all("TEMPLATE/*")) own.insert(node.name());
  for (const auto& node : vm.find_all("USER_TEMPLATE/*"))
    if (!own.contains(node.name())) add_section(out, node, restored);
  out.push_back({"NAME", restored.name});
  if (!restored.tpm.empty()) out.push_back({"TPM_STATE", base64_encode(restored.tpm)});
  return out;
}

std::string to_client_text(const one::Template& attributes) {
  check_names(attributes);
  if (std::any_of(attributes.begin(), attributes.end(), ends_in_backslash))
    return to_xml(attributes);
  std::string out;
  for (const auto& [name, value] : attributes) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      out += name + "= \"" + escaped(*text) + "\"\n";
      continue;
    }
    std::string list;
    for (const auto& [key, text] : std::get<Pairs>(value))
      list += (list.empty() ? "    " : ",\n    ") + key + "=\"" + escaped(text) + "\"";
    if (!list.empty()) out += name + "=[\n" + list + "\n]\n";
  }
  return out;
}
