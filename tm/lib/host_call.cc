// SPDX-License-Identifier: Apache-2.0
#include "tm/lib/host_call.h"

#include "common/base64.h"
#include "common/ended.h"
#include "common/error.h"
#include "common/one/location.h"
#include "common/one/log_line.h"

Command HostCall::command(std::string_view verb, std::string_view option) const {
  const bool here = is_this_machine(host);
  const auto root = here ? remotes_root() : remote_root();
  Command command{(root / "tm/host/backup_host").string(), verb};
  if (!option.empty()) command.arg(option);
  if (!here) command = command.on(host);
  command.input(base64_encode(request.to_xml()) + "\n");
  return command.err_lines(pass_log_line);
}

void HostCall::insist(const Finished& finished) const {
  if (finished.ok()) return;
  const std::string why = last_plain_line(finished.err);
  if (!why.empty() && finished.status != ssh_failed)
    throw Error{why, finished.status == static_cast<int>(Exit::bad_request) ? Exit::bad_request
                                                                            : Exit::failed};
  throw Error{ended("backup_host on " + host, finished.status) + (why.empty() ? "" : ": " + why)};
}

bool HostCall::end(std::chrono::milliseconds limit, Cancel cancel) const {
  const auto run = [&] {
    auto end = command("end").deadline(limit);
    if (cancel == Cancel::ignored) end.shielded();
    return end.run();
  };
  auto finished = run();
  // It died, or the way to it: until it is done, the host keeps what the backup needed.
  if (finished.status > 128) finished = run();
  insist(finished);
  return finished.out.empty();
}
