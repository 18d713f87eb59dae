// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/session.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/cancel.h"
#include "datastore/rsync/lib/session_lane.h"
#include "datastore/rsync/lib/ssh_keys.h"

namespace rsync {
namespace {

constexpr std::string_view remedy = "; RSYNC_TRANSPORT=ssh can";

std::string join(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : ",") + word;
  return all;
}

// The types that the server has to show one of, or why we need not even ask.
std::string wanted_types(const KnownKeys& known, const SshConfig& config, const std::string& whom) {
  const auto as = "'" + config.known_as() + "'";
  if (known.blobs.empty()) {
    const std::string unknown = "the host key of " + whom + " is not in known_hosts as " + as;
    if (config.new_keys == SshConfig::NewKeys::accept)
      throw NotForLibssh2{unknown + ", and libssh2 takes no new one" + std::string{remedy}};
    throw Error{unknown + ": add it there (ssh-keyscan), after a look at its fingerprint"};
  }
  auto types = known.types();
  std::erase_if(types, [](const auto& type) { return !libssh2_knows(type); });
  if (types.empty())
    throw NotForLibssh2{"known_hosts has only a key of type " + join(known.types()) + " for " + as +
                        ", which libssh2 cannot check" + std::string{remedy} +
                        ", or add the server's ed25519 key"};
  return join(types);
}

void check_host_key(LIBSSH2_SESSION* session, const KnownKeys& known, const SshConfig& config,
                    const std::string& whom) {
  std::size_t size = 0;
  int type = 0;
  const char* key = libssh2_session_hostkey(session, &size, &type);
  const std::string blob{key != nullptr ? std::string{key, size} : ""};
  const auto is = [&](const auto& keys) {
    return std::find(keys.begin(), keys.end(), blob) != keys.end();
  };
  if (is(known.revoked))
    throw Error{"the host key of " + whom + " (" + fingerprint(blob) +
                ") is revoked in known_hosts"};
  if (is(known.blobs)) return;
  throw Error{"the host key of " + whom + " has changed: it shows " + type_of_key(blob) + " " +
              fingerprint(blob) + ", and known_hosts has another one for '" + config.known_as() +
              "'; if the server is really new, correct known_hosts (ssh-keygen -R)"};
}

}  // namespace

LIBSSH2_SEND_FUNC(Session::count_sent) {
  const ssize_t n = send(socket, buffer, length, flags | MSG_NOSIGNAL);
  if (n < 0) return -errno;
  static_cast<Session*>(*abstract)->sent_ += static_cast<std::uint64_t>(n);
  return n;
}

LIBSSH2_RECV_FUNC(Session::count_received) {
  const ssize_t n = recv(socket, buffer, length, flags);
  if (n < 0) return -errno;
  auto& session = *static_cast<Session*>(*abstract);
  session.received_ += static_cast<std::uint64_t>(n);
  if (n > 0) session.heard();
  return n;
}

Session::Session(const Target& target, Terms terms)
    : whom_{target.name()}, terms_{terms}, config_{ssh_config(target)} {
  if (!config_.proxy.empty())
    throw NotForLibssh2{"ssh reaches " + whom_ + " through '" + one_line(config_.proxy) +
                        "', which libssh2 cannot" + std::string{remedy}};
  static const int once = libssh2_init(0);
  if (once != 0) throw Error{"libssh2 does not start"};
  socket_ = connect_to(config_.host, config_.port, whom_, terms);
  session_.reset(libssh2_session_init_ex(allocate, release, reallocate, this));
  if (!session_) throw Error{"no memory for an ssh session"};
  libssh2_session_set_blocking(get(), 0);
  libssh2_session_callback_set(get(), LIBSSH2_CALLBACK_SEND, reinterpret_cast<void*>(count_sent));
  libssh2_session_callback_set(get(), LIBSSH2_CALLBACK_RECV,
                               reinterpret_cast<void*>(count_received));
  Lane lane{*this};
  shake_hands(lane);
  log_in(*this, lane, config_);
  libssh2_keepalive_config(get(), 1, 1);  // whenever we ask it to
}

// As far as it goes without waiting.
Session::~Session() {
  if (!session_) return;
  if (!broken_) libssh2_session_disconnect(get(), "done");
  abandon("done");
  auto* session = session_.release();
  for (int i = 0; i < 100 && libssh2_session_free(session) == LIBSSH2_ERROR_EAGAIN; ++i) {
  }
}

void Session::check() const {
  if (!broken_) return;
  if (!terms_.shielded) cancel::check();
  throw Error{why_};
}

// What libssh2 would still say then fails at once, instead of with EAGAIN.
void Session::abandon(const std::string& why) {
  if (broken_) return;
  why_ = why;
  broken_ = true;
  shutdown(socket_.get(), SHUT_RDWR);
  for (const auto* lane : waiting_) lane->wake();
}

void Session::share() {
  if (shared_ == received_) return;
  shared_ = received_;
  for (const auto* lane : waiting_) lane->wake();
}

void Session::shake_hands(Lane& lane) {
  const auto known = known_keys(config_);
  const auto types = wanted_types(known, config_, whom_);
  libssh2_session_method_pref(get(), LIBSSH2_METHOD_HOSTKEY, types.c_str());
  for (const int way : {LIBSSH2_METHOD_CRYPT_CS, LIBSSH2_METHOD_CRYPT_SC})
    libssh2_session_method_pref(get(), way, "aes128-ctr,aes256-ctr,aes192-ctr");
  for (const int way : {LIBSSH2_METHOD_MAC_CS, LIBSSH2_METHOD_MAC_SC})
    libssh2_session_method_pref(get(), way, "hmac-sha2-256,hmac-sha2-512,hmac-sha1");
  const int rc = lane.drive([&] { return libssh2_session_handshake(get(), socket_.get()); });
  if (rc == LIBSSH2_ERROR_KEX_FAILURE) {
    lane.abandon("no common algorithms");
    throw NotForLibssh2{"libssh2 cannot agree with " + whom_ + " on a host key (" + types +
                        " is known) and ciphers" + std::string{remedy}};
  }
  if (rc != 0) lane.fail("begin to speak ssh with " + whom_);
  check_host_key(get(), known, config_, whom_);
}

bool Session::sending() const {
  return (libssh2_session_block_directions(get()) & LIBSSH2_SESSION_BLOCK_OUTBOUND) != 0;
}

void Session::heard() {
  unanswered_ = 0;
  next_keep_alive_ = Clock::now() + config_.alive_every;
}

// A question only goes where a whole packet fits into the socket: it could not be finished later.
void Session::keep_alive() {
  if (Clock::now() < next_keep_alive_) return;
  if (unanswered_ == config_.alive_most)
    throw Error{"the connection to " + whom_ + " is dead: no sign of life for " +
                std::to_string(config_.alive_every.count() * config_.alive_most) + " s"};
  ++unanswered_;
  next_keep_alive_ = Clock::now() + config_.alive_every;
  pollfd room{socket_.get(), POLLOUT, 0};
  if (sending() || poll(&room, 1, 0) != 1) return;
  int next = 0;
  libssh2_keepalive_send(get(), &next);
}

}  // namespace rsync
