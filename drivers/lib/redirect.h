// SPDX-License-Identifier: Apache-2.0
// A stored domain, edited so that it runs on restored disks.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace guest {

struct Redirected {
  std::string xml;                   // ready for `virsh define`
  std::vector<std::string> removed;  // targets of disks that were not restored
};

// `files` holds the restored qcow2 file of each target, absolute; `nvram` the restored NVRAM, if
// there is one; `emulator_cpus`: EMULATOR_CPUS of the host, to which the threads of qemu are
// pinned; those of a domain whose virtual processors are pinned go where these are.  Those disks
// get it as their source; other disks go, but removable ones stay; what only a running domain has
// (aliases, labels, backing chains, jobs) goes too.  Name and UUID stay: it is the same machine. An
// Error if `domain` is no domain, or lacks one of the targets.
Redirected redirect(std::string_view domain,
                    const std::map<std::string, std::filesystem::path>& files,
                    const std::filesystem::path& nvram = {}, const std::string& emulator_cpus = {});

}  // namespace guest
