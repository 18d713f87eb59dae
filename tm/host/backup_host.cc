// SPDX-License-Identifier: Apache-2.0
// Everything of a backup that happens on the hypervisor.

#include <unistd.h>

#include <cerrno>
#include <map>

#include "common/base64.h"
#include "common/cancel.h"
#include "common/confine.h"
#include "common/error.h"
#include "common/one/action.h"
#include "tm/host/lib/apart.h"
#include "tm/host/lib/begin.h"
#include "tm/host/lib/guard.h"

namespace {

constexpr Contract contract{
    .name = "tm/host/backup_host",
    .summary = "capture the disks of a VM on its hypervisor",
    .args = "VERB [OPTION]",
    .input = Input::none,
    .reply =
        "C<status>: one JSON document.  C<end>: C<later> if something is only removed when a "
        "cluster answers again.  C<still>: see below.  Other verbs: nothing.",
    .description =
        "C<begin> captures, C<end> ends that if it still runs, and removes what it left (C<abort> "
        "is the same), C<recover> pays what a dead one owes to its guest, C<status> tells how "
        "things are.  C<guard> is for C<begin>'s own use.\n\n"
        "On a bridge (C<BRIDGE> in the request) there are the disks, all in Ceph, and the guest is "
        "on another host.  There C<begin> says C<stand still>, when all is ready, and goes on when "
        "it is answered C<still>; it says C<go on> when it has taken the disks, and is answered "
        "with a report.  Its caller gets that from C<still> on the guest's host: it says C<still> "
        "when the guest stands still, is answered C<go on>, and replies with the report.  Each of "
        "the two ends with its stdin, and the guest goes on with that.\n\n"
        "C<recover --all> needs no request: it does so for every VM of this host whose backup "
        "has died, and leaves living ones alone.  A timer may call it, as often as it likes.  "
        "C<recover --foreign> also puts right what another tool's backup left with the VM, "
        "C<recover --for-stock> leaves the layers of INCREMENT_MODE=SNAPSHOT as OpenNebula's own "
        "driver expects them.\n\n"
        "C<begin> and C<still> leave the cgroup, unit or session of their caller.  For that they "
        "may have to be executed again: with an OPTION then, the descriptor that holds the "
        "request.\n\n"
        "The request is the first line of stdin: a BACKUP_HOST document, encoded in base64.  "
        "C<begin> and C<still> take the end of their stdin for the death of their caller, and "
        "undo.",
};

constexpr size_t longest_request = size_t{96} << 20;

// Byte by byte would be slow, and reading ahead is harmless: nothing follows the line.
std::string read_request(int fd) {
  std::string text;
  char buffer[65536];
  for (std::size_t at = 0; text.find('\n', at) == text.npos;) {
    at = text.size();
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n == -1 && errno == EINTR) continue;
    if (n == -1) throw system_error("read the request", errno);
    if (n == 0) break;
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > longest_request) throw BadRequest{"the request is too long"};
  }
  return base64_decode(text.substr(0, text.find('\n')));
}

std::string end(const HostRequest& request) { return host::end(request) ? "" : "later"; }

std::string act(const Request& arguments) {
  const std::string& verb = arguments["VERB"];
  const std::string& option = arguments["OPTION"];
  if (verb == "recover" && option == "--all") return host::recover_all(), "";
  const bool begins = verb == "begin" || verb == "still";
  const bool moved = begins && !option.empty();
  const bool more = verb == "recover" && (option == "--foreign" || option == "--for-stock");
  if (!moved && !more && !option.empty())
    throw BadRequest{"unknown option '" + option + "' of " + verb};
  using Verb = std::string (*)(const HostRequest&);
  static const std::map<std::string, Verb> verbs{
      {"begin",
       [](const HostRequest& request) {
         cancel::watch(STDIN_FILENO);
         host::begin(request);
         return std::string{};
       }},
      {"still",
       [](const HostRequest& request) {
         cancel::watch(STDIN_FILENO);
         return host::stand_still(request);
       }},
      {"end", end},
      {"abort", end},
      {"recover", [](const HostRequest& request) { return host::recover(request), std::string{}; }},
      {"status", host::status}};
  const auto found = verbs.find(verb);
  if (found == verbs.end()) throw BadRequest{"unknown verb '" + verb + "'"};
  Fd passed_on{moved ? static_cast<int>(arguments.number("OPTION")) : -1};
  const auto request = HostRequest::parse(read_request(moved ? passed_on.get() : STDIN_FILENO),
                                          settings_of_this_host());
  passed_on.reset();
  if (verb == "begin" && request.bridge) host::make_state_dir(request);
  if (begins && !moved) host::move_apart(request, verb);
  if (option == "--foreign") return host::recover_foreign(request), "";
  if (option == "--for-stock") return host::recover_for_stock(request), "";
  return found->second(request);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view verb = argc == 2 ? argv[1] : "";
  const bool guard = verb == "guard";
  // Its exporter outlives the caller, who may wait for the end of whatever he has left open.
  if (verb == "begin" || verb == "still") close_range(STDERR_FILENO + 1, ~0U, 0);
  const int status = guard ? host::run_guard() : run_action(contract, argc, argv, act);
  confine::leave();
  return status;
}
