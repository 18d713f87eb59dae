// SPDX-License-Identifier: Apache-2.0
// A virtual machine as libvirt describes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/one/xml.h"

namespace guest {

struct GuestDisk {
  std::string target;  // "vda"
  std::string device;  // disk, cdrom, floppy, lun
  std::string type;    // of its source: file, block, network, volume, ...
  std::string source;  // of a file: the path of the top layer; else empty
  std::string format;  // of its driver: "raw" if the domain does not say, as libvirt assumes
  std::string bus;
  std::string below{};  // of what the domain says is below it (backingStore); it need not say
  bool read_only = false;
  bool encrypted = false;  // by qemu, which has the key

  bool removable() const { return device == "cdrom" || device == "floppy"; }
};

struct Nic {
  std::string mac, network, bridge, model;
};

struct Guest {
  std::string uuid, name;
  int vcpus = 1;
  std::int64_t memory_mib = 0;
  std::string machine;
  std::vector<GuestDisk> disks;
  std::vector<Nic> nics;
  bool opennebulas = false;  // it bears OpenNebula's metadata, or is named one-<n>
  bool agent = false;        // a guest agent is connected
  bool tpm = false;          // an emulated one, whose state is a file
};

// From a domain element of libvirt.  BadRequest if it is none.
Guest parse(const XmlNode& domain);

// What the machine keeps besides its disks, in the words of common/one/machine_state.h.
std::vector<std::string> keeps(const XmlNode& domain);

// The disks to back up: all but the removable ones.  Throws an Error that names the domain and
// the disk if there is one that is not a file, or there is none at all: nothing is left out
// silently.
std::vector<GuestDisk> backup_disks(const Guest& guest);

}  // namespace guest
