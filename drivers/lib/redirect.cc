// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/redirect.h"

#include "common/error.h"
#include "common/one/xml.h"
#include "drivers/lib/document.h"

namespace guest {
namespace {

// From the last to the first: what lies in another match goes before it.
void remove_all(const XmlNode& from, const std::string& xpath) {
  auto nodes = from.find_all(xpath);
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) node->remove();
}

void remove_attribute(const XmlNode& node, const char* name) {
  if (xmlAttr* found = xmlHasProp(node.raw(), reinterpret_cast<const xmlChar*>(name)))
    xmlRemoveProp(found);
}

void point_to(XmlNode disk, const std::filesystem::path& file, bool encrypted) {
  if (!encrypted) remove_all(disk, "encryption");
  if (const auto inner = disk.first("source/encryption"); inner && encrypted) disk.add_copy(*inner);
  // librbd knows disks in Ceph only.
  for (const auto& kept : disk.find_all("encryption")) remove_attribute(kept, "engine");
  for (const char* name : {"source", "backingStore", "mirror", "auth", "transient"})
    remove_all(disk, name);
  disk.set_attribute("type", "file");
  auto driver = disk.first("driver");
  (driver ? *driver : disk.add("driver")).set_attribute("type", encrypted ? "raw" : "qcow2");
  disk.add("source").set_attribute("file", file.string());
}

// The form that every libvirt reads: the path as text.
void point_nvram_to(const XmlNode& domain, const std::filesystem::path& file) {
  auto nvram = domain.first("os/nvram");
  if (!nvram) {
    auto os = domain.first("os");
    if (!os) throw Error{"the stored domain.xml has no os, and there is an NVRAM for it"};
    nvram = os->add("nvram");
  }
  remove_attribute(*nvram, "type");
  nvram->set_text(file.string());
}

void pin_emulator(XmlNode domain, const std::string& host_cpus) {
  std::string cpus;
  for (const auto& pin : domain.find_all("cputune/vcpupin"))
    if (const auto set = pin.attribute("cpuset")) cpus += (cpus.empty() ? "" : ",") + *set;
  auto tune = domain.first("cputune");
  if (!tune) tune = domain.add("cputune");
  remove_all(*tune, "emulatorpin");
  tune->add("emulatorpin").set_attribute("cpuset", cpus.empty() ? host_cpus : cpus);
}

bool removable(const XmlNode& disk) {
  const auto device = disk.attribute("device");
  return device == "cdrom" || device == "floppy";
}

// A user's own aliases begin with "ua-"; a dynamic label is made anew at each start.
void remove_live_parts(const XmlNode& domain) {
  for (const std::string path : {"devices/*/alias", "devices/*/*/alias"})
    remove_all(domain, path + "[not(starts-with(@name, 'ua-'))]");
  remove_all(domain, "seclabel[not(@type = 'static') and not(@type = 'none')]");
  remove_all(domain, "devices/interface/target[starts-with(@dev, 'vnet')]");
  remove_all(domain, "devices/channel/source[@mode = 'bind']");
  remove_attribute(domain, "id");
}

}  // namespace

std::set<std::string> encrypted_disks(std::string_view domain) {
  const auto document = read_document(domain, "the stored domain.xml");
  std::set<std::string> out;
  for (const auto& disk : document.root().find_all("devices/disk"))
    if (disk.first("encryption | source/encryption"))
      out.insert(disk.find("target/@dev").value_or(""));
  return out;
}

Redirected redirect(std::string_view domain,
                    const std::map<std::string, std::filesystem::path>& files,
                    const std::filesystem::path& nvram, const std::string& emulator_cpus,
                    const std::set<std::string>& encrypted) {
  const auto document = read_document(domain, "the stored domain.xml");
  const auto root = document.root();
  if (root.name() != "domain") throw Error{"the stored domain.xml is no domain"};
  auto missing = files;
  Redirected result;
  for (auto disk : root.find_all("devices/disk")) {
    const auto target = disk.find("target/@dev").value_or("");
    const auto file = files.find(target);
    if (file != files.end()) {
      point_to(disk, file->second, encrypted.contains(target));
      missing.erase(target);
    } else if (!removable(disk)) {
      result.removed.push_back(target);
      disk.remove();
    }
  }
  if (!missing.empty())
    throw Error{"the stored domain.xml has no disk '" + missing.begin()->first + "'"};
  if (!nvram.empty()) point_nvram_to(root, nvram);
  if (!emulator_cpus.empty()) pin_emulator(root, emulator_cpus);
  remove_live_parts(root);
  result.xml = document.dump() + "\n";
  return result;
}

}  // namespace guest
