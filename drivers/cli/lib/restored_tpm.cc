// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/restored_tpm.h"

#include <unistd.h>

#include "common/error.h"
#include "common/one/machine_state.h"

namespace fs = std::filesystem;

namespace cli {
namespace {

bool is_uuid(const std::string& text) {
  return text.size() == 36 && text.find_first_not_of("0123456789abcdefABCDEF-") == text.npos;
}

}  // namespace

RestoredTpm::RestoredTpm(const fs::path& swtpm_dir, const std::string& uuid, fs::path beside)
    : file_{std::move(beside)} {
  if (!is_uuid(uuid)) throw Error{"the stored domain.xml has no UUID, and there is a TPM for it"};
  const fs::path place = swtpm_dir / uuid / machine_state::tpm_file;
  const std::string copy =
      "'" + file_.string() + "' belongs at '" + place.string() + "' before the domain starts: ";
  std::error_code none;
  if (fs::exists(fs::symlink_status(place.parent_path(), none))) {
    advice_ = copy + "there is a state of that domain's TPM already, and it was left alone";
  } else if (!fs::is_directory(swtpm_dir, none) || access(swtpm_dir.c_str(), W_OK | X_OK) != 0) {
    advice_ = copy + "'" + swtpm_dir.string() + "' cannot be written here";
  } else {
    of_domain_.emplace(swtpm_dir / uuid);
    of_tpm_.emplace(place.parent_path());
    file_ = place;
  }
}

void RestoredTpm::keep() {
  if (of_domain_) of_domain_->keep();
  if (of_tpm_) of_tpm_->keep();
}

}  // namespace cli
