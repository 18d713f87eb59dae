// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/subject.h"

#include "common/error.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/hypervisor.h"
#include "drivers/lib/disk_file.h"
#include "drivers/lib/document.h"

namespace cli {

Subject find_subject(const App& app, const std::string& domain, bool force) {
  const auto found = Hypervisor{app.uri()}.find(domain);
  const auto xml = read_document(found.xml, "libvirt's description of domain '" + domain + "'");
  Subject subject{.guest = guest::parse(xml.root()),
                  .running = found.active,
                  .keeps = guest::keeps(xml.root())};
  if (subject.guest.opennebulas && !force)
    throw Error{"domain '" + subject.guest.name +
                "' belongs to an OpenNebula, which backs it up itself (onevm backup): --force does "
                "it all the same, and starts its chain of increments anew"};
  if (!found.persistent)
    note("domain '" + subject.guest.name +
         "' is transient: when it ends, the track of its changes is lost, and the next increment "
         "holds everything");
  for (const auto& disk : subject.guest.disks)
    if (disk.removable())
      note(disk.device + " '" + disk.target + "' is not backed up: it is a removable medium");
  return subject;
}

// The disks with their ids; links to their files in the machine's directory, where drivers look.
std::vector<messages::VmDisk> take_disks(App& app, int vm, const guest::Guest& guest, Mode& mode) {
  std::vector<messages::VmDisk> disks;
  mode = Mode::full;
  for (auto& disk : guest::backup_disks(guest)) try {
      const auto file = guest::probe(disk.source, disk.format);
      if (file.tracks_changes) mode = Mode::increment;
      const int id = app.store().disk_id(vm, disk.target, disk.source);
      disks.push_back({.id = id, .disk = std::move(disk), .virtual_size = file.virtual_size});
    } catch (const Error& error) {
      throw Error{"disk '" + disk.target + "' of domain '" + guest.name + "': " + error.what()};
    }
  return disks;
}

}  // namespace cli
