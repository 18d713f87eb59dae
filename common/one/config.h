// SPDX-License-Identifier: Apache-2.0
// Configuration files in the form that the core's own tools use: NAME=VALUE lines of bash.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

using Settings = std::map<std::string, std::string>;

// Skips blank lines and comments; takes [export ]NAME=VALUE with optional quotes; nothing is
// evaluated.  Other lines are ignored, as the core's tools do.
Settings parse_settings(std::string_view text);

// The file's settings; none if it does not exist.
Settings read_settings(const std::filesystem::path& path);

// One setting of ours: the environment's VMVAULT_<NAME> first, then <remotes>/etc/vmvault.conf.
// Empty counts as absent.
std::optional<std::string> setting(const std::string& name);

// The directory for a VM's backup files: <BACKUP_BASE_PATH>/<vm id>/backup if datastore.conf sets
// that variable (contract 3.2), else <vm dir>/backup.
std::filesystem::path backup_dir(const std::filesystem::path& vm_dir, int vm_id);

// In a backup dir whose disks can no longer be read: why (contract 4.6).
inline constexpr const char* failure_document = "vmvault.failure";

// LIBVIRT_URI for hypervisors: the environment's LIBVIRT_URI or LIBVIRT_DEFAULT_URI, else kvmrc's,
// else qemu:///system.
std::string libvirt_uri();
