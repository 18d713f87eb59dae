// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/subject.h"

#include "common/error.h"
#include "drivers/lib/disk_file.h"
#include "drivers/lib/document.h"
#include "drivers/lib/hypervisor.h"

namespace guest {

Subject find_subject(const std::string& uri, const std::string& domain, bool force) {
  const auto found = Hypervisor{uri}.find(domain);
  const auto xml = read_document(found.xml, "libvirt's description of domain '" + domain + "'");
  Subject subject{
      .guest = parse(xml.root()), .running = found.active, .keeps = keeps(xml.root()), .notes = {}};
  if (subject.guest.opennebulas && !force)
    throw Error{"domain '" + subject.guest.name +
                "' belongs to an OpenNebula, which backs it up itself (onevm backup): --force does "
                "it all the same, and starts its chain of increments anew"};
  if (!found.persistent)
    subject.notes.push_back(
        "domain '" + subject.guest.name +
        "' is transient: when it ends, the track of its changes is lost, and the next increment "
        "holds everything");
  for (const auto& disk : subject.guest.disks)
    if (disk.removable())
      subject.notes.push_back(disk.device + " '" + disk.target +
                              "' is not backed up: it is a removable medium");
  return subject;
}

// The disks with their ids; links to their files in the machine's directory, where drivers look.
std::vector<messages::VmDisk> take_disks(state::Store& store, int vm, const Guest& guest,
                                         Mode& mode) {
  std::vector<messages::VmDisk> disks;
  mode = Mode::full;
  for (auto& disk : backup_disks(guest)) try {
      const auto file = probe(disk.source, disk.format);
      if (file.tracks_changes) mode = Mode::increment;
      const int id = store.disk_id(vm, disk.target, disk.source);
      disks.push_back({.id = id, .disk = std::move(disk), .virtual_size = file.virtual_size});
    } catch (const Error& error) {
      throw Error{"disk '" + disk.target + "' of domain '" + guest.name + "': " + error.what()};
    }
  return disks;
}

}  // namespace guest
