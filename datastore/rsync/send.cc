// SPDX-License-Identifier: Apache-2.0
// Sends a backup to the server of an rsync datastore, from the machine that has its files.
//
// The request is one line on stdin (lib/send_request.h), which is then held open: when it closes,
// or at SIGTERM or SIGINT, the upload is undone.  On stdout, a line each: {"done": bytes} now and
// then, and at the end {"stored": name}.

#include <librsync.h>
#include <unistd.h>

#include <chrono>
#include <iostream>

#include "common/cancel.h"
#include "common/core_dump.h"
#include "common/error.h"
#include "common/one/action.h"
#include "common/one/location.h"
#include "common/request_line.h"
#include "datastore/rsync/lib/args.h"
#include "datastore/rsync/lib/link_open.h"
#include "datastore/rsync/lib/send_backup.h"
#include "datastore/rsync/lib/sftp_send.h"

namespace {

using rsync::BackupSender;

constexpr std::size_t longest_request = std::size_t{1} << 20;
constexpr rsync::Terms to_undo{.silence = std::chrono::seconds{10}, .shielded = true};

class Reporter {
 public:
  void operator()(std::uint64_t done) {
    const auto now = Clock::now();
    if (now - told_ < std::chrono::milliseconds{250}) return;
    told_ = now;
    std::cout << "{\"done\":" << done << "}" << std::endl;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point told_{};
};

rsync::Target target_of(const rsync::SendRequest& request, const rsync::Args& args) {
  auto target = request.target;
  target.ssh = args.ssh;
  return target;
}

std::string send_by_sftp(const rsync::SendRequest& request, const rsync::Args& args) {
  rsync::SftpCargo cargo{.target = target_of(request, args),
                         .directory = request.directory,
                         .files = {},
                         .base = request.base,
                         .vm = request.vm,
                         .name = request.name,
                         .owner = request.owner,
                         .args = args,
                         .progress = Reporter{}};
  for (const auto& file : request.files) cargo.files.push_back(file.name);
  return rsync::send_by_sftp(cargo);
}

std::string send_to_helper(const rsync::SendRequest& request, const rsync::Args& args) {
  rsync::LinkOptions options{.transport = rsync::parse_transport(request.transport),
                             .bytes_per_second = args.bytes_per_second};
  if (args.timeout.count() != 0) options.terms.silence = args.timeout;
  auto undoing = options;
  undoing.terms = to_undo;
  const auto target = target_of(request, args);
  rsync::Connection connection{target, options};
  const auto open = [&](BackupSender::Way way) {
    return way == BackupSender::Way::undoes ? rsync::open_link(target, request.server, undoing)
                                            : connection.open(request.server);
  };
  BackupSender sender{
      request,
      {.archive = args.archive, .sparse = args.sparse, .whole = args.whole, .level = args.compress},
      open,
      rsync::SideCache{var_dir() / "rsync"},
      Reporter{}};
  sender.send();
  return sender.report();
}

void send() {
  const auto request = rsync::SendRequest::decode(read_request_line(STDIN_FILENO, longest_request));
  cancel::watch(STDIN_FILENO);
  const auto args = rsync::parse_args(request.args);
  const auto report =
      request.server.empty() ? send_by_sftp(request, args) : send_to_helper(request, args);
  log(Level::info, report);
  std::cout << "{\"stored\":\"" << request.name << "\"}" << std::endl;
}

}  // namespace

int main() {
  try {
    cancel::install();
    forbid_core_dumps();
    rs_trace_set_level(RS_LOG_EMERG);  // librsync would write to our stderr
    send();
    return 0;
  } catch (const Error& error) {
    std::cerr << one_line(error.what()) << '\n';
    return static_cast<int>(error.exit());
  } catch (const std::exception& error) {
    std::cerr << one_line(error.what()) << '\n';
    return static_cast<int>(Exit::failed);
  }
}
