// SPDX-License-Identifier: Apache-2.0
// What an in-place restore asks of restore_host on the hypervisor: one line of base64 on its stdin,
// with an XML document in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/lvm/volume.h"
#include "common/rbd/image.h"

// Where the disks of a VM lie (contract 3.7).
enum class Layout {
  plain,   // ssh, local: <vm dir>/disk.<id>
  layers,  // qcow2, shared: <vm dir>/disk.<id> -> disk.<id>.snap/0; of a persistent image beside it
};

struct RestoredDisk {
  int id = -1;
  std::optional<rbd::Image> image = {};    // it is in Ceph, and layout, source and raw mean nothing
  std::optional<lvm::Volume> volume = {};  // the same in LVM
  std::string pool = {};                   // of the volume, as the core has it; empty: in none
  Layout layout = Layout::plain;
  std::filesystem::path source;  // of a persistent image in Layout::layers; else empty
  bool raw = false;              // the VM takes it for a raw image
  std::int64_t size_mb = 0;      // as the VM has it; 0: unknown
};

struct RestoreRequest {
  int vm_id = -1;
  std::filesystem::path vm_dir;
  std::vector<RestoredDisk> disks;
  bool tpm = false;  // the state of the TPM as well

  static RestoreRequest decode(std::string_view line);  // BadRequest
  std::string encode() const;                           // with its newline

  const RestoredDisk* find(int disk) const;
};
