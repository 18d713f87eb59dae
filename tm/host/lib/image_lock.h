// SPDX-License-Identifier: Apache-2.0
// Who has an image open, by the locks that qemu and its tools hold on it (block/file-posix.c):
// bytes from 100 on say what they do with it, those from 200 on what others must not do.
#pragma once

#include <filesystem>

namespace host {

// Nobody, as far as that can be told, has one that is not there, or that we may not open.
bool is_open_in_qemu(const std::filesystem::path& image);

}  // namespace host
