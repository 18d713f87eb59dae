// SPDX-License-Identifier: Apache-2.0
// Captures the disks of a running VM into its backup directory.

#include "tm/lib/step.h"

namespace {

constexpr Contract contract{
    .name = "tm/qcow2/prebackup_live",
    .summary = "capture the disks of a running VM",
    .args = step_args,
    .input = Input::xml,
    .reply =
        "Nothing.  The backup directory on the host holds C<disk.ID.INCREMENT>, C<vm.xml>, "
        "C<domain.xml> and C<vmvault.json>, and C<disk.tpm.0> and C<nvram.fd> if the machine has a "
        "TPM or an NVRAM that can be read.",
};

}  // namespace

int main(int argc, char** argv) {
  return run_action(contract, argc, argv,
                    [](const Request& request) { return prebackup(request, When::live); });
}
