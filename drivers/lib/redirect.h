// SPDX-License-Identifier: Apache-2.0
// A stored domain, edited so that it runs on restored disks.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace guest {

struct Redirected {
  std::string xml;                   // ready for `virsh define`
  std::vector<std::string> removed;  // targets of disks that were not restored
};

// Targets of the disks that the domain says are encrypted.
std::set<std::string> encrypted_disks(std::string_view domain);

// `files` holds the restored qcow2 file of each target, absolute; `nvram` the restored NVRAM, if
// there is one; `emulator_cpus`: EMULATOR_CPUS of the host, to which the threads of qemu are
// pinned; those of a domain whose virtual processors are pinned go where these are.  Those disks
// get it as their source; other disks go, but removable ones stay; what only a running domain has
// (aliases, labels, backing chains, jobs) goes too.  The files of `encrypted` targets are raw ones
// with what lay encrypted on the disk, whose <encryption> stays; that of others goes.  Name and
// UUID stay: it is the same machine. An Error if `domain` is no domain, or lacks one of the
// targets.
Redirected redirect(std::string_view domain,
                    const std::map<std::string, std::filesystem::path>& files,
                    const std::filesystem::path& nvram = {}, const std::string& emulator_cpus = {},
                    const std::set<std::string>& encrypted = {});

}  // namespace guest
