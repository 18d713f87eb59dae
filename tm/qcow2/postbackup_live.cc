// SPDX-License-Identifier: Apache-2.0
// Removes what prebackup_live left on the host.  Always exits 0: the data may be in the store
// already.

#include "tm/lib/step.h"

namespace {

constexpr Contract contract{
    .name = "tm/qcow2/postbackup_live",
    .summary = "clean up after the backup of a running VM",
    .args = step_args,
    .input = Input::xml,
    .reply = "Nothing.",
    .failure = Failure::reported,
};

}  // namespace

int main(int argc, char** argv) {
  return run_action(contract, argc, argv,
                    [](const Request& request) { return postbackup(request, When::live); });
}
