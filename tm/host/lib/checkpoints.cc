// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/checkpoints.h"

#include <cstdlib>

#include "common/one/action.h"
#include "common/one/xml.h"
#include "tm/host/lib/marks.h"

namespace host {

Checkpoints::Checkpoints(const Domain& domain, int vm_id) : domain_{domain.get()} {
  virDomainCheckpointPtr* list = nullptr;
  const int count = virDomainListAllCheckpoints(domain_, &list, 0);
  if (count < 0) throw VirtError{"list a domain's checkpoints"};
  std::vector<Checkpoint> owned;
  for (int i = 0; i < count; ++i) owned.emplace_back(list[i]);
  std::free(list);
  for (const auto& one : owned) {
    const std::string name = virDomainCheckpointGetName(one.get());
    if (!checkpoint_increment(vm_id, name)) continue;
    const Xml xml{
        take(virDomainCheckpointGetXMLDesc(one.get(), VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN),
             "read a checkpoint")};
    created_[name] = xml.root().find_number("creationTime").value_or(0);
  }
}

std::optional<std::int64_t> Checkpoints::created(const std::string& name) const {
  const auto found = created_.find(name);
  if (found == created_.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> Checkpoints::names() const {
  std::vector<std::string> out;
  for (const auto& [name, when] : created_) out.push_back(name);
  return out;
}

void Checkpoints::redefine(const std::string& name, std::int64_t created,
                           const std::vector<std::string>& targets,
                           const std::vector<std::string>& others, bool validate) {
  unsigned flags = VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE;
  if (validate) flags |= VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE;
  const Checkpoint made{virDomainCheckpointCreateXML(
      domain_, checkpoint_xml(name, created, targets, others).c_str(), flags)};
  if (!made) throw VirtError{"tell libvirt of the checkpoint " + name};
  created_[name] = created;
}

void Checkpoints::remove(const std::string& name) noexcept {
  try {
    const Checkpoint one{virDomainCheckpointLookupByName(domain_, name.c_str(), 0)};
    if (!one) throw VirtError{"find the checkpoint " + name};
    if (virDomainCheckpointDelete(one.get(), 0) != 0 &&
        virDomainCheckpointDelete(one.get(), VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY) != 0)
      throw VirtError{"delete the checkpoint " + name};
    created_.erase(name);
  } catch (const std::exception& e) {
    log(Level::warn, e.what());
  }
}

std::string checkpoint_xml(const std::string& name, std::optional<std::int64_t> created,
                           const std::vector<std::string>& targets,
                           const std::vector<std::string>& others) {
  const Xml document = Xml::create("domaincheckpoint");
  XmlNode root = document.root();
  root.add("name", name);
  if (created) root.add("creationTime", std::to_string(*created));
  XmlNode disks = root.add("disks");
  for (const auto& target : targets) {
    XmlNode disk = disks.add("disk");
    disk.set_attribute("name", target);
    disk.set_attribute("checkpoint", "bitmap");
    disk.set_attribute("bitmap", name);
  }
  for (const auto& target : others) {
    XmlNode disk = disks.add("disk");
    disk.set_attribute("name", target);
    disk.set_attribute("checkpoint", "no");
  }
  return document.dump();
}

}  // namespace host
