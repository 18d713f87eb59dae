// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

// The size in MiB that a disk of the VM had, by the vm.xml of a backup, which is base64 despite its
// name (contract 4.6).  Error if the VM had no such disk.
std::int64_t disk_size_mb(std::string_view vm_xml, int disk_id);
