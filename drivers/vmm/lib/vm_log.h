// SPDX-License-Identifier: Apache-2.0
// What vmm/kvm's executables say for the log of a VM.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace front {

// A line of the stderr of `program` as a line for the core, if it is one for a log: of the VM, and
// without the program's name, since other tools look for the words alone (contract 1.7).
std::optional<std::string> vm_log(std::string_view line, std::string_view program,
                                  std::int64_t vm_id);

}  // namespace front
