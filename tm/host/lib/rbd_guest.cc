// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/rbd_guest.h"

#include <map>

#include "common/one/xml.h"
#include "tm/lib/rbd_image.h"

namespace host {
namespace {

// By the names of their targets.
std::map<std::string, std::string> images_of(const Domain& domain) {
  const Xml live =
      Xml::from_libvirt(take(virDomainGetXMLDesc(domain.get(), 0), "read a domain's XML"));
  std::map<std::string, std::string> out;
  for (const auto& disk : live.root().find_all("devices/disk")) {
    const auto target = disk.first("target"), source = disk.first("source[@protocol='rbd']");
    if (target && source)
      out[target->attribute("dev").value_or("")] = source->attribute("name").value_or("");
  }
  return out;
}

}  // namespace

void insist_on_images(const HostRequest& request, const Domain& domain) {
  const auto ids = request.rbd_disks();
  if (ids.empty()) return;
  const auto images = images_of(domain);
  for (const int id : ids) {
    const Disk& disk = request.vm.disk(id);
    const auto wanted = image_of(disk).display();
    const auto found = images.find(disk.target);
    if (found != images.end() && found->second == wanted) continue;
    throw Error{"disk " + std::to_string(id) + " of VM " + std::to_string(request.vm.id) +
                " should be the Ceph image " + wanted + ", but the domain has " +
                (found == images.end() ? "none of Ceph" : "'" + one_line(found->second) + "'") +
                " as '" + disk.target + "'"};
  }
}

}  // namespace host
