// SPDX-License-Identifier: Apache-2.0
// The place of a restored TPM's state: where libvirt looks for it, or else beside the disks.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "drivers/cli/lib/new_file.h"

namespace cli {

class RestoredTpm {
 public:
  // Makes the directories of the domain below swtpm_dir, unless that is not this user's to write,
  // or there is a state of this domain already, which nobody may lose.
  RestoredTpm(const std::filesystem::path& swtpm_dir, const std::string& uuid,
              std::filesystem::path beside);

  const std::filesystem::path& file() const { return file_; }
  // What is left to be done by a person; empty: nothing.
  const std::string& advice() const { return advice_; }
  void keep();  // else the directories go again

 private:
  std::filesystem::path file_;
  std::string advice_;
  std::optional<NewDirectory> of_domain_, of_tpm_;
};

}  // namespace cli
