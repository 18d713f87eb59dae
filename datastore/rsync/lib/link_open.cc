// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/link_open.h"

#include <utility>

#include "common/error.h"
#include "common/one/action.h"
#include "datastore/rsync/lib/link_channel.h"
#include "datastore/rsync/lib/link_limited.h"
#include "datastore/rsync/lib/link_process.h"
#include "datastore/rsync/lib/session_pool.h"

namespace rsync {

Transport parse_transport(std::string_view text) {
  if (text.empty() || text == "auto") return Transport::automatic;
  if (text == "libssh2") return Transport::libssh2;
  if (text == "ssh") return Transport::ssh;
  throw BadRequest{"RSYNC_TRANSPORT must be auto, libssh2 or ssh, not '" + one_line(text) + "'"};
}

Connection::Connection(Target target, LinkOptions options)
    : target_{std::move(target)},
      options_{options},
      sessions_{std::make_unique<SessionPool>(target_, options.terms)} {
  const nbd::Limiter::Rates rates{.bytes_per_second = options.bytes_per_second};
  if (options.bytes_per_second != 0) limiter_ = std::make_shared<nbd::Limiter>(rates);
}

Connection::~Connection() = default;

std::unique_ptr<Link> Connection::open(const std::vector<std::string>& argv) {
  auto link = start(argv);
  if (!limiter_) return link;
  return std::make_unique<LimitedLink>(std::move(link), limiter_, options_.terms.shielded);
}

std::unique_ptr<Link> Connection::start(const std::vector<std::string>& argv) {
  const bool own_ssh = target_.ssh != Target{}.ssh;  // -e: whoever gives that wants the program
  if (target_.here() || options_.transport == Transport::ssh ||
      (options_.transport == Transport::automatic && own_ssh))
    return by_program(argv);
  if (options_.transport == Transport::libssh2) return by_libssh2(argv);
  try {
    if (!not_for_libssh2_) return by_libssh2(argv);
  } catch (const NotForLibssh2& why) {
    if (!not_for_libssh2_.exchange(true))
      log(Level::info, std::string{"the ssh program carries the data: "} + why.what());
  }
  return by_program(argv);
}

std::unique_ptr<Link> Connection::by_libssh2(const std::vector<std::string>& argv) {
  return sessions_->open(
      [&](const auto& session) { return std::make_unique<ChannelLink>(session, argv); });
}

std::unique_ptr<Link> Connection::by_program(const std::vector<std::string>& argv) const {
  const auto by = target_.here() ? ProcessLink::By::itself : ProcessLink::By::ssh;
  return std::make_unique<ProcessLink>(target_.on(argv), by, target_.name(), options_.terms);
}

std::unique_ptr<Link> open_link(const Target& target, const std::vector<std::string>& argv,
                                const LinkOptions& options) {
  return Connection{target, options}.open(argv);
}

}  // namespace rsync
