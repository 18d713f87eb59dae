// SPDX-License-Identifier: Apache-2.0
// What a front-end step asks of backup_host on the hypervisor: one XML document, sent as one line
// of base64 on its stdin.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "common/one/config.h"
#include "common/one/vm.h"
#include "common/one/xml.h"

struct HostRequest {
  std::filesystem::path vm_dir;
  std::filesystem::path backup_dir;  // ends in "/backup"
  std::vector<int> disk_ids;
  bool live = false;
  bool take_over = false;  // nobody uploads: a view that an earlier backup left may be ended
  std::string libvirt_uri;
  Settings settings;   // of the front-end, by the names of share/etc/vmvault.conf
  std::string vm_xml;  // the VM element as it came
  Vm vm;               // the same, parsed

  // BadRequest for a disk that the VM has not, paths that are not absolute and normal, and a backup
  // dir of another name.
  static HostRequest parse(std::string_view xml);
  std::string to_xml() const;

  // A setting, or what holds without it.
  std::string setting(const std::string& name, const std::string& fallback) const;
  std::int64_t number(const std::string& name, std::int64_t fallback) const;
};
