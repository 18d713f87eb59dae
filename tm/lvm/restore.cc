// SPDX-License-Identifier: Apache-2.0
// Puts a backup in the place of the disks of a powered-off VM whose system is in LVM.

#include "tm/lib/restore.h"

namespace {

constexpr Contract contract{.name = "tm/lvm/restore",
                            .summary = "restore the disks of a powered-off VM in place",
                            .args = restore_args,
                            .input = Input::none,
                            .reply = "Nothing.",
                            .description = restore_description};

}  // namespace

int main(int argc, char** argv) {
  return run_action(contract, argc, argv,
                    [](const Request& request) { return restore(request, std::nullopt); });
}
