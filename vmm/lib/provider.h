// SPDX-License-Identifier: Apache-2.0
// What a datastore's driver may want to do around each backup (share/doc/providers.md).
#pragma once

#include <string>

#include "vmm/lib/job.h"

namespace vmm {

class ProviderBackup {
 public:
  // Runs its backup_init, if there is one.  `document`: what its `backup` gets.  Throws its Error,
  // Cancelled: then nothing of the backup has been done.
  ProviderBackup(const Job& job, std::string document);
  ProviderBackup(const ProviderBackup&) = delete;
  ProviderBackup& operator=(const ProviderBackup&) = delete;
  // Runs its backup_cleanup, with SUCCESS if succeed() was called.  What goes wrong is logged.
  ~ProviderBackup();
  void succeed() { good_ = true; }

 private:
  const Job& job_;
  std::string document_;
  bool good_ = false;
};

}  // namespace vmm
