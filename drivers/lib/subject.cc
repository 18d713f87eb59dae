// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/subject.h"

#include "common/error.h"
#include "drivers/lib/document.h"

namespace guest {

Subject find_subject(const std::string& uri, const std::string& domain, bool force,
                     Hypervisor::Where where) {
  const auto found = Hypervisor{uri, where}.find(domain);
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

Subject find_subject_at(const std::string& uri, const std::string& uuid) {
  auto subject = find_subject(uri, uuid, false, Hypervisor::Where::anywhere);
  if (subject.guest.uuid != uuid)
    throw Error{"what libvirt at '" + uri + "' describes as " + uuid + " is another machine, " +
                one_line(subject.guest.uuid)};
  return subject;
}

std::vector<messages::VmDisk> take_disks(state::Store& store, int vm, const Guest& guest,
                                         Mode& mode, const MachineFiles& files) {
  std::vector<messages::VmDisk> disks;
  mode = Mode::full;
  const auto wanted = backup_disks(guest);
  const auto found = files.probe(guest.name, wanted);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (found[i].tracks_changes) mode = Mode::increment;
    const int id = store.disk_id(vm, wanted[i].target, wanted[i].source);
    disks.push_back({.id = id, .disk = wanted[i], .virtual_size = found[i].virtual_size});
  }
  return disks;
}

}  // namespace guest
