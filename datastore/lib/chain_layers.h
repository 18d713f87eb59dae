// SPDX-License-Identifier: Apache-2.0
// The files of a chain, whatever they are, as a merge needs them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/qcow2/disk_file.h"
#include "common/qcow2/stream.h"

// Adds what is in the next file of a chain: a qcow2 file, or an export of rbd, as older versions of
// OpenNebula stored disks in Ceph.  What it says of files behind it is not believed: the chain says
// what is behind.  Throws Error.
void add_layers(std::vector<qcow2::Layer>& layers, const qcow2::ReadAt& read,
                std::uint64_t file_size, const std::string& name);

// The names that the file of a disk may have in an increment: "disk.0.3", and those of exports of
// rbd, "disk.0.3.rbdiff" and, of the first increment, "disk.0.rbd2".
std::vector<std::string> names_of_disk(int disk, int increment);
// Is it one of the latter?
bool is_rbd_export(std::string_view name);
// The disk that a file of this increment holds; nullopt: none, or it is of another increment.
std::optional<int> disk_in(std::string_view name, int increment);
