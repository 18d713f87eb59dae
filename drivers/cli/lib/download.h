// SPDX-License-Identifier: Apache-2.0
// vmvault download and mount: the disks of a backup, and nothing else.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "drivers/cli/lib/app.h"

namespace cli {

struct DownloadOptions {
  std::string what;  // an image, or the URL of a disk
  std::optional<int> disk, increment;
  std::filesystem::path to;  // empty: stdout
};

// One disk, as it was, in a qcow2 file.
void download(App& app, const DownloadOptions& options);

struct MountOptions {
  int image = -1;
  std::filesystem::path dir;
  std::optional<int> disk, increment;
};

// The disks as raw files in a directory, until the user wants no more, which is no error.
void mount(App& app, const MountOptions& options);

}  // namespace cli
