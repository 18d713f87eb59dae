// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/guest.h"

#include <algorithm>

#include "common/error.h"
#include "common/one/machine_state.h"

namespace guest {
namespace {

constexpr std::string_view opennebula_namespace = "http://opennebula.org/xmlns/libvirt/1.0";

bool named_by_opennebula(std::string_view name) {
  if (!name.starts_with("one-") || name.size() == 4) return false;
  return name.find_first_not_of("0123456789", 4) == name.npos;
}

bool has_opennebula_metadata(const XmlNode& domain) {
  const auto all = domain.find_all("metadata//*");
  return std::any_of(all.begin(), all.end(), [](const XmlNode& node) {
    const auto* space = node.raw()->ns;
    return space && reinterpret_cast<const char*>(space->href) == opennebula_namespace;
  });
}

// libvirt writes KiB, and reads other units too.
std::int64_t memory_mib(const XmlNode& domain) {
  const auto amount = domain.find_number("memory").value_or(0);
  const auto unit = domain.find("memory/@unit").value_or("KiB");
  if (unit == "b" || unit == "bytes") return amount >> 20;
  if (unit == "MiB" || unit == "M") return amount;
  if (unit == "GiB" || unit == "G") return amount << 10;
  return amount >> 10;
}

GuestDisk parse_disk(const XmlNode& disk) {
  GuestDisk one{.target = disk.find("target/@dev").value_or(""),
                .device = disk.attribute("device").value_or("disk"),
                .type = disk.attribute("type").value_or("file"),
                .source = {},
                .format = disk.find("driver/@type").value_or("raw"),
                .bus = disk.find("target/@bus").value_or(""),
                .read_only = disk.first("readonly").has_value(),
                .encrypted = disk.first("encryption | source/encryption").has_value()};
  if (disk.first("backingStore/source")) {
    one.below = disk.find("backingStore/source/@file").value_or("");
    if (one.below.empty()) one.below = "another image";
  }
  if (one.type == "file") one.source = disk.find("source/@file").value_or("");
  return one;
}

Nic parse_nic(const XmlNode& nic) {
  return {.mac = nic.find("mac/@address").value_or(""),
          .network = nic.find("source/@network").value_or(""),
          .bridge = nic.find("source/@bridge").value_or(""),
          .model = nic.find("model/@type").value_or("")};
}

}  // namespace

Guest parse(const XmlNode& domain) {
  if (domain.name() != "domain") throw BadRequest{"libvirt's description is no domain"};
  Guest guest{.uuid = domain.at("uuid"),
              .name = domain.at("name"),
              .vcpus = static_cast<int>(domain.find_number("vcpu").value_or(1)),
              .memory_mib = memory_mib(domain),
              .machine = domain.find("os/type/@machine").value_or(""),
              .disks = {},
              .nics = {}};
  for (const auto& disk : domain.find_all("devices/disk")) guest.disks.push_back(parse_disk(disk));
  for (const auto& nic : domain.find_all("devices/interface")) guest.nics.push_back(parse_nic(nic));
  guest.opennebulas = named_by_opennebula(guest.name) || has_opennebula_metadata(domain);
  guest.agent = domain
                    .first(
                        "devices/channel/target[@name='org.qemu.guest_agent.0'][@state="
                        "'connected']")
                    .has_value();
  guest.tpm = domain.first("devices/tpm/backend[@type='emulator']").has_value();
  return guest;
}

std::vector<std::string> keeps(const XmlNode& domain) {
  std::vector<std::string> words;
  if (domain.first("devices/tpm")) words.emplace_back(machine_state::tpm);
  // libvirt chooses the file itself where the domain only says what firmware it wants.
  if (domain.first("os/nvram | os[@firmware = 'efi'][not(loader/@stateless = 'yes')]"))
    words.emplace_back(machine_state::nvram);
  return words;
}

std::vector<GuestDisk> backup_disks(const Guest& guest) {
  std::vector<GuestDisk> kept;
  for (const auto& disk : guest.disks) {
    if (disk.removable()) continue;
    if (disk.type != "file" || disk.device != "disk" || disk.source.empty())
      throw Error{"disk '" + disk.target + "' of domain '" + guest.name + "' is of type " +
                  disk.type + "/" + disk.device +
                  ", and only disks that are files can be backed up yet"};
    kept.push_back(disk);
  }
  if (kept.empty()) throw Error{"domain '" + guest.name + "' has no disk to back up"};
  return kept;
}

}  // namespace guest
