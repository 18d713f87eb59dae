// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string_view>

#include "datastore/rsync/lib/session_lane.h"
#include "datastore/rsync/lib/ssh_keys.h"

namespace rsync {
namespace {

using Agent = Owned<LIBSSH2_AGENT, libssh2_agent_free>;

// Tries what there is, in the order of ssh, and keeps what became of it for the message.
class Login {
 public:
  Login(Session& session, Lane& lane, const SshConfig& config)
      : session_{session}, lane_{lane}, config_{config} {
    for (const auto& path : config.identity_files)
      if (auto file = identity_file(path)) files_.push_back(std::move(*file));
  }

  void run() {
    const char* methods = lane_.make([&]() -> char* {
      return libssh2_userauth_list(session_.get(), config_.user.c_str(), size(config_.user));
    });
    if (libssh2_userauth_authenticated(session_.get())) return;  // it asks for nothing
    if (methods == nullptr) lane_.fail("log in to " + session_.whom());
    if (std::string_view{methods}.find("publickey") == std::string_view::npos)
      throw Error{session_.whom() + " takes no keys, only " + one_line(methods)};
    if (!with_agent() && !with_files()) refuse();
  }

 private:
  static unsigned size(const std::string& text) { return static_cast<unsigned>(text.size()); }

  bool with_agent() {
    if (config_.agent.empty()) return false;
    const Agent agent{libssh2_agent_init(session_.get())};
    if (!agent) lane_.fail("speak to the agent");
    libssh2_agent_set_identity_path(agent.get(), config_.agent.c_str());
    if (libssh2_agent_connect(agent.get()) != 0) return false;
    const struct Connected {
      LIBSSH2_AGENT* agent;
      ~Connected() { libssh2_agent_disconnect(agent); }
    } connected{agent.get()};
    if (libssh2_agent_list_identities(agent.get()) != 0) return false;
    libssh2_agent_publickey* key = nullptr;
    while (libssh2_agent_get_identity(agent.get(), &key, key) == 0)
      if (with_agent_key(agent.get(), key)) return true;
    return false;
  }

  bool with_agent_key(LIBSSH2_AGENT* agent, libssh2_agent_publickey* key) {
    const std::string blob{reinterpret_cast<const char*>(key->blob), key->blob_len};
    const auto named = std::find_if(files_.begin(), files_.end(),
                                    [&](const auto& file) { return file.blob == blob; });
    if (config_.identities_only && named == files_.end()) return false;
    if (named != files_.end()) named->locked = true;  // need not be tried again
    return knows(type_of_key(blob)) && tried(lane_.drive([&] {
             return libssh2_agent_userauth(agent, config_.user.c_str(), key);
           }));
  }

  bool with_files() {
    return std::any_of(files_.begin(), files_.end(), [&](const auto& file) {
      return !file.locked && knows(file.type) && tried(lane_.drive([&] {
        return libssh2_userauth_publickey_fromfile_ex(session_.get(), config_.user.c_str(),
                                                      size(config_.user), nullptr,
                                                      file.path.c_str(), "");
      }));
    });
  }

  bool knows(const std::string& type) {
    // Whoever does not tell its type may be of a good one.
    if (type.empty() || libssh2_knows(type)) return true;
    if (unknown_.find(type) == unknown_.npos) unknown_ += (unknown_.empty() ? "" : ", ") + type;
    return false;
  }

  bool tried(int result) {
    if (result == 0) return true;
    switch (result) {
      case LIBSSH2_ERROR_SOCKET_SEND:
      case LIBSSH2_ERROR_SOCKET_RECV:
      case LIBSSH2_ERROR_SOCKET_DISCONNECT:
      case LIBSSH2_ERROR_SOCKET_TIMEOUT:
        lane_.fail("log in to " + session_.whom());
      default:
        ++refused_;
        return false;
    }
  }

  [[noreturn]] void refuse() const {
    const auto who = session_.whom() + " as '" + config_.user + "'";
    const auto refused =
        refused_ == 0
            ? ""
            : std::to_string(refused_) + (refused_ == 1 ? " key was" : " keys were") + " refused";
    if (!unknown_.empty())
      throw NotForLibssh2{"cannot log in to " + who + ": " + refused +
                          (refused_ == 0 ? "" : ", and ") + "libssh2 cannot use keys of type " +
                          unknown_ + "; RSYNC_TRANSPORT=ssh can, or make an ed25519 key"};
    if (refused_ == 0)
      throw Error{
          "cannot log in to " + who +
          ": there is no key for it, neither in an agent nor in a file without a passphrase"};
    throw Error{"cannot log in to " + who + ": " + refused +
                "; is the public key in its authorized_keys?"};
  }

  Session& session_;
  Lane& lane_;
  const SshConfig& config_;
  std::vector<IdentityFile> files_;
  std::string unknown_;  // types of keys that we have
  int refused_ = 0;
};

}  // namespace

void log_in(Session& session, Lane& lane, const SshConfig& config) {
  Login{session, lane, config}.run();
}

}  // namespace rsync
