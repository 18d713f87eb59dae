// SPDX-License-Identifier: Apache-2.0
// The checkpoints of a running domain that belong to one VM's backups.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tm/host/lib/hypervisor.h"

namespace host {

class Checkpoints {
 public:
  Checkpoints(const Domain& domain, int vm_id);  // asks libvirt

  bool has(const std::string& name) const { return created_.contains(name); }
  // When libvirt's checkpoint was made, epoch.
  std::optional<std::int64_t> created(const std::string& name) const;
  std::vector<std::string> names() const;

  // Tells libvirt of a checkpoint whose bitmaps are in the images already (after a migration, or
  // made while the VM was off).  With `validate` libvirt checks that they are there and sound.
  // Throws VirtError.
  void redefine(const std::string& name, std::int64_t created,
                const std::vector<std::string>& targets, const std::vector<std::string>& others,
                bool validate);

  // Removes the checkpoint with its bitmaps; only what libvirt knows of it when they are gone
  // already.  Logs what cannot be removed: an old bitmap costs a little, never a backup.
  void remove(const std::string& name) noexcept;

 private:
  virDomain* domain_;
  std::map<std::string, std::int64_t> created_;
};

// The document for a new checkpoint: one bitmap of its own name on each target, none on others.
std::string checkpoint_xml(const std::string& name, std::optional<std::int64_t> created,
                           const std::vector<std::string>& targets,
                           const std::vector<std::string>& others);

}  // namespace host
