// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/link_open.h"

#include "common/error.h"
#include "common/one/action.h"
#include "datastore/rsync/lib/link_channel.h"
#include "datastore/rsync/lib/link_limited.h"
#include "datastore/rsync/lib/link_process.h"

namespace rsync {
namespace {

std::unique_ptr<Link> by_libssh2(const Target& target, const std::vector<std::string>& argv,
                                 const LinkOptions& options) {
  return std::make_unique<ChannelLink>(std::make_shared<Session>(target, options.terms), argv);
}

std::unique_ptr<Link> by_program(const Target& target, const std::vector<std::string>& argv,
                                 const LinkOptions& options) {
  const auto by = target.here() ? ProcessLink::By::itself : ProcessLink::By::ssh;
  return std::make_unique<ProcessLink>(target.on(argv), by, target.name(), options.terms);
}

std::unique_ptr<Link> by_what_suits(const Target& target, const std::vector<std::string>& argv,
                                    const LinkOptions& options) {
  const bool own_ssh = target.ssh != Target{}.ssh;  // -e: whoever gives that wants the program
  if (target.here() || options.transport == Transport::ssh ||
      (options.transport == Transport::automatic && own_ssh))
    return by_program(target, argv, options);
  if (options.transport == Transport::libssh2) return by_libssh2(target, argv, options);
  try {
    return by_libssh2(target, argv, options);
  } catch (const NotForLibssh2& why) {
    log(Level::info, std::string{"the ssh program carries the data: "} + why.what());
    return by_program(target, argv, options);
  }
}

}  // namespace

Transport parse_transport(std::string_view text) {
  if (text.empty() || text == "auto") return Transport::automatic;
  if (text == "libssh2") return Transport::libssh2;
  if (text == "ssh") return Transport::ssh;
  throw BadRequest{"RSYNC_TRANSPORT must be auto, libssh2 or ssh, not '" + one_line(text) + "'"};
}

std::unique_ptr<Link> open_link(const Target& target, const std::vector<std::string>& argv,
                                const LinkOptions& options) {
  auto link = by_what_suits(target, argv, options);
  if (options.bytes_per_second == 0) return link;
  return std::make_unique<LimitedLink>(std::move(link), options.bytes_per_second,
                                       options.terms.shielded);
}

}  // namespace rsync
