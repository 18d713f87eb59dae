// SPDX-License-Identifier: Apache-2.0
// The VM directories of this host in which a backup may have left a journal, so that they are
// found when nobody names them: links in <var dir>/host/.
#pragma once

#include <filesystem>
#include <vector>

namespace host {

// Durable when it returns.  Twice is no harm.
void enter(const std::filesystem::path& vm_dir);
void strike_out(const std::filesystem::path& vm_dir) noexcept;
std::vector<std::filesystem::path> entered();

}  // namespace host
