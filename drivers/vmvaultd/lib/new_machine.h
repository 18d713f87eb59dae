// SPDX-License-Identifier: Apache-2.0
// A machine that is made of a backup, beside the one that was backed up (contract 5.6).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "drivers/lib/restores.h"

namespace vmvaultd {

struct NewMachine {
  struct Disk {
    state::DiskImage image;
    std::string target;
    bool as_seen = true;  // CaptureResult::is_as_seen()
  };

  state::TemplateRecord record;
  std::string domain;      // domain.xml of the backup
  std::string nvram, tpm;  // empty: not in the backup
  std::string emulator_cpus;
  std::filesystem::path dir;
  std::vector<Disk> disks;
  std::string files{};  // what its files are called; empty: the template's id
};

// What the files of this template can be called without taking the place of others.
std::string free_name(const std::filesystem::path& dir, int template_id);

// Writes <dir>/<files>.xml, ready for `virsh define`: with a name and a UUID of its own, and
// <files>.nvram beside it.  Returns the template, in OpenNebula's form.  Error for a domain
// that is none, and for a disk that holds what lay encrypted in its place: in a qcow2 file libvirt
// cannot use that.
std::string write_machine(const NewMachine& machine);

}  // namespace vmvaultd
