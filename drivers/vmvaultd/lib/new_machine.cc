// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/new_machine.h"

#include <map>

#include "common/base64.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/template.h"
#include "common/one/xml.h"
#include "common/random.h"
#include "drivers/lib/guest.h"
#include "drivers/lib/redirect.h"

namespace fs = std::filesystem;

namespace vmvaultd {
namespace {

void remove_all(const XmlNode& from, const std::string& xpath) {
  for (auto& node : from.find_all(xpath)) node.remove();
}

// What would be the same of two machines.  libvirt makes a UUID and addresses where there are none.
void make_new(XmlNode domain, const state::TemplateRecord& record) {
  remove_all(domain, "uuid");
  remove_all(domain, "title");
  domain.first("name").value().set_text(record.name);
  remove_all(domain, "sysinfo/system/entry[@name='uuid']");
  if (record.no_nic) remove_all(domain, "devices/interface");
  if (record.no_ip) remove_all(domain, "devices/interface/mac");
}

one::Attribute nic_of(const guest::Nic& nic, bool no_ip) {
  one::Pairs pairs;
  if (!nic.network.empty()) pairs.emplace_back("NETWORK", nic.network);
  if (!nic.model.empty()) pairs.emplace_back("MODEL", nic.model);
  if (!nic.mac.empty() && !no_ip) pairs.emplace_back("MAC", nic.mac);
  return {.name = "NIC", .value = pairs};
}

std::string template_of(const NewMachine& machine, const guest::Guest& guest,
                        const fs::path& domain_file) {
  one::Template all{{"NAME", machine.record.name},
                    {"CPU", std::to_string(guest.vcpus)},
                    {"VCPU", std::to_string(guest.vcpus)},
                    {"MEMORY", std::to_string(guest.memory_mib)}};
  if (!guest.machine.empty()) all.push_back({"OS", one::Pairs{{"MACHINE", guest.machine}}});
  for (const auto& disk : machine.disks)
    all.push_back(
        {"DISK", one::Pairs{{"IMAGE_ID", std::to_string(disk.image.id)}, {"TARGET", disk.target}}});
  if (!machine.record.no_nic)
    for (const auto& nic : guest.nics) all.push_back(nic_of(nic, machine.record.no_ip));
  if (!machine.tpm.empty()) all.push_back({"TPM_STATE", base64_encode(machine.tpm)});
  all.push_back({"DOMAIN_XML", domain_file.string()});
  return one::to_text(all);
}

void refuse_encrypted(const NewMachine& machine) {
  const auto encrypted = guest::encrypted_disks(machine.domain);
  for (const auto& disk : machine.disks)
    if (!disk.as_seen && encrypted.contains(disk.target))
      throw Error{"disk '" + disk.target +
                  "' was backed up as it lay encrypted in its place, and no machine can be made on "
                  "a qcow2 file of that: restore it with 'vmvault restore --to'"};
}

}  // namespace

// A machine may use what is there: an older state that was put back gives numbers away again.
std::string free_name(const fs::path& dir, int template_id) {
  const auto name = std::to_string(template_id);
  for (const char* end : {".xml", ".nvram"})
    if (fs::symlink_status(dir / (name + end)).type() != fs::file_type::not_found)
      return name + "-" + random_hex(8);
  return name;
}

std::string write_machine(const NewMachine& machine) {
  refuse_encrypted(machine);
  const auto base =
      machine.dir / (machine.files.empty() ? std::to_string(machine.record.id) : machine.files);
  const fs::path domain_file = base.string() + ".xml", nvram_file = base.string() + ".nvram";
  std::map<std::string, fs::path> files;
  for (const auto& disk : machine.disks) files[disk.target] = disk.image.source;
  const auto redirected =
      guest::redirect(machine.domain, files, machine.nvram.empty() ? fs::path{} : nvram_file,
                      machine.emulator_cpus);
  const Xml document{redirected.xml};
  const auto guest = guest::parse(document.root());
  make_new(document.root(), machine.record);
  if (!machine.nvram.empty()) write_file(nvram_file, machine.nvram, 0600);
  write_file(domain_file, document.dump() + "\n", 0600);
  return template_of(machine, guest, domain_file);
}

}  // namespace vmvaultd
