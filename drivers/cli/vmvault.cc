// SPDX-License-Identifier: Apache-2.0
// vmvault: backups of the virtual machines of libvirt hosts, with or without a service.

#include "common/answer.h"
#include "common/cancel.h"
#include "common/core_dump.h"
#include "common/error.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/tree.h"

int main(int argc, char** argv) try {
  cancel::install();
  forbid_core_dumps();
  const int status = cli::run(argc, argv);
  finish_answer();
  return status;
} catch (const Error& error) {
  cli::note(one_line(error.what()));
  return static_cast<int>(error.exit());
} catch (const std::filesystem::filesystem_error& error) {
  cli::note(one_line(to_error(error).what()));
  return static_cast<int>(Exit::failed);
} catch (const std::exception& error) {
  cli::note(std::string{"unexpected: "} + one_line(error.what()));
  return static_cast<int>(Exit::failed);
}
