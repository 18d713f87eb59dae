// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/live_disk.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "common/file.h"
#include "common/one/xml.h"

namespace fs = std::filesystem;

namespace host {
namespace {

bool lies_below(const fs::path& file, const fs::path& dir) {
  std::error_code error;
  const auto real_file = fs::weakly_canonical(file, error);
  const auto real_dir = fs::weakly_canonical(dir, error);
  const auto [at, end] =
      std::mismatch(real_dir.begin(), real_dir.end(), real_file.begin(), real_file.end());
  return at == real_dir.end();
}

// Whom qemu runs as: <label>+64055:+106</label> of the DAC security model.
void read_owner(const XmlNode& domain, LiveDomain& out) {
  for (const auto& label : domain.find_all("seclabel")) {
    if (label.attribute("model").value_or("") != "dac") continue;
    int uid = -1, gid = -1;
    if (std::sscanf(label.find("label").value_or("").c_str(), "+%d:+%d", &uid, &gid) == 2) {
      out.qemu_uid = uid;
      out.qemu_gid = gid;
    }
  }
}

// What "virsh define" takes: the persistent definition where it has all the disks, else the
// running one.
std::string definition(const Domain& domain, const std::vector<LiveDisk>& disks) {
  if (virDomainIsPersistent(domain.get()) == 1) {
    std::string text = take(virDomainGetXMLDesc(domain.get(), VIR_DOMAIN_XML_INACTIVE),
                            "read a domain's definition");
    const Xml xml = Xml::from_libvirt(text);
    std::vector<std::string> targets;
    for (const auto& disk : xml.root().find_all("devices/disk/target"))
      targets.push_back(disk.attribute("dev").value_or(""));
    const bool all = std::all_of(disks.begin(), disks.end(), [&](const LiveDisk& disk) {
      return std::find(targets.begin(), targets.end(), disk.target) != targets.end();
    });
    if (all) return text;
  }
  return take(virDomainGetXMLDesc(domain.get(), VIR_DOMAIN_XML_MIGRATABLE),
              "read a domain's definition");
}

LiveDisk read_disk(const Disk& wanted, const std::string& who, const XmlNode& disk) {
  const std::string name =
      "disk " + std::to_string(wanted.id) + " (" + wanted.target + ") of " + who;
  const auto source = disk.first("source");
  const auto file = source ? source->attribute("file") : std::nullopt;
  if (disk.attribute("type").value_or("") != "file" || !file)
    throw Error{name + " is no file but of type '" + disk.attribute("type").value_or("") +
                "': this driver captures files only"};
  LiveDisk out{.id = wanted.id, .target = wanted.target, .format = "", .file = *file};
  if (const auto driver = disk.first("driver")) out.format = driver->attribute("type").value_or("");
  if (out.format != "qcow2" && out.format != "raw")
    throw Error{name + " has the format '" + out.format + "': only qcow2 and raw are supported"};
  out.encrypted =
      disk.first("encryption | source/encryption | backingStore//encryption").has_value();
  return out;
}

}  // namespace

LiveDomain inspect(const Domain& domain, const Vm& vm, const std::vector<int>& disk_ids,
                   const fs::path& vm_dir) {
  const Xml live =
      Xml::from_libvirt(take(virDomainGetXMLDesc(domain.get(), 0), "read a domain's XML"));
  const std::string who = "VM " + std::to_string(vm.id);
  const auto nodes = live.root().find_all("devices/disk");
  LiveDomain out;
  for (const int id : disk_ids) {
    const Disk& wanted = vm.disk(id);
    const auto node = std::find_if(nodes.begin(), nodes.end(), [&](const XmlNode& one) {
      const auto target = one.first("target");
      return target && target->attribute("dev") == wanted.target;
    });
    if (node == nodes.end())
      throw Error{"the domain of " + who + " has no disk '" + wanted.target + "' (disk " +
                  std::to_string(id) + ")"};
    out.disks.push_back(read_disk(wanted, who, *node));
  }
  for (const auto& node : nodes) {
    const auto target = node.first("target");
    const std::string dev = target ? target->attribute("dev").value_or("") : "";
    const auto source = node.first("source");
    const std::string file = source ? source->attribute("file").value_or("") : "";
    if (!file.empty() && lies_below(file, vm_dir / "tmp"))
      throw Error{"disk '" + dev + "' of " + who + " runs on '" + file +
                  "', a layer that another backup tool left: commit it (virsh blockcommit --active "
                  "--pivot) before the next backup; it is not touched"};
    if (std::none_of(out.disks.begin(), out.disks.end(),
                     [&](const LiveDisk& disk) { return disk.target == dev; }))
      out.others.push_back(dev);
  }
  out.keeps = Keeps::of(live.root());
  read_owner(live.root(), out);
  out.domain_xml = definition(domain, out.disks);
  return out;
}

int qcow2_version(const fs::path& file) {
  const Fd fd = open_file(file, O_RDONLY);
  std::array<unsigned char, 8> head{};
  if (pread(fd.get(), head.data(), head.size(), 0) != static_cast<ssize_t>(head.size())) return 0;
  if (head[0] != 'Q' || head[1] != 'F' || head[2] != 'I' || head[3] != 0xfb) return 0;
  return head[7];
}

}  // namespace host
