// SPDX-License-Identifier: Apache-2.0
// The small files of a machine that belong to its backup: the state of its TPM and its NVRAM.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/one/xml.h"
#include "tm/lib/host_request.h"

namespace host {

// What a machine keeps besides its disks, and where.
struct Keeps {
  std::string uuid, name;       // of the domain; empty: libvirt does not know it
  bool tpm = false;             // an emulated one
  bool nvram = false;           // UEFI variables
  std::filesystem::path store;  // the file with them; empty: where libvirt puts it by itself

  static Keeps of(const XmlNode& domain);
};

// One of them, as it was.
struct Kept {
  std::string what;   // machine_state::tpm or ::nvram
  std::string name;   // of the document in the backup
  std::string bytes;  // its content
  std::string why;    // it is not in the backup; then there are no bytes
};

// Made before the guest stands still, since it may have to ask sudo; read() is quick.
class MachineFiles {
 public:
  // With a template that has a TPM, and for a domain that libvirt does not know, what
  // OpenNebula keeps in the VM dir is taken as well.
  MachineFiles(const HostRequest& request, Keeps keeps);

  // One for each that the machine has.  What cannot be read is a warning, and no Error.  Files that
  // are written meanwhile are read until they are whole.
  std::vector<Kept> read() const;

 private:
  std::string read_tpm() const;
  std::string read_by_sudo() const;
  std::filesystem::path tpm_dir() const;

  const HostRequest& request_;
  Keeps keeps_;
  bool by_sudo_ = false;  // the TPM's state can only be read by vtpm_setup
};

}  // namespace host
