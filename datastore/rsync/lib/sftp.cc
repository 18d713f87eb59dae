// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sftp.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

namespace rsync {
namespace {

constexpr int deepest = 16;  // of directories that are removed: ours have one level
constexpr std::size_t longest_name = 1024, most_names = 100'000;

std::string reason(unsigned long code, const std::string& libssh2) {
  switch (code) {
    case LIBSSH2_FX_NO_SUCH_FILE:
    case LIBSSH2_FX_NO_SUCH_PATH:
      return "there is no such file";
    case LIBSSH2_FX_PERMISSION_DENIED:
    case LIBSSH2_FX_WRITE_PROTECT:
      return "permission denied";
    case LIBSSH2_FX_NO_SPACE_ON_FILESYSTEM:
    case LIBSSH2_FX_QUOTA_EXCEEDED:
      return "no space is left";
    case LIBSSH2_FX_OP_UNSUPPORTED:
      return "the server cannot do that";
    case LIBSSH2_FX_FAILURE:
      return "the server failed to, and does not say why";
    default:
      return "its answer makes no sense (" + libssh2 + ")";
  }
}

Sftp::Info info_of(const LIBSSH2_SFTP_ATTRIBUTES& attributes) {
  Sftp::Info info;
  if ((attributes.flags & LIBSSH2_SFTP_ATTR_SIZE) != 0) info.size = attributes.filesize;
  if ((attributes.flags & LIBSSH2_SFTP_ATTR_ACMODTIME) != 0)
    info.mtime = static_cast<std::int64_t>(attributes.mtime);
  if ((attributes.flags & LIBSSH2_SFTP_ATTR_PERMISSIONS) == 0) return info;
  info.directory = LIBSSH2_SFTP_S_ISDIR(attributes.permissions);
  info.regular = LIBSSH2_SFTP_S_ISREG(attributes.permissions);
  return info;
}

unsigned length(const std::string& path) { return static_cast<unsigned>(path.size()); }

}  // namespace

Sftp::Sftp(std::shared_ptr<Session> session) : session_{std::move(session)}, lane_{*session_} {
  const auto alone = lane_.alone();
  sftp_ = lane_.make([&] { return libssh2_sftp_init(session_->get()); });
  if (sftp_ == nullptr && lane_.failure() == LIBSSH2_ERROR_CHANNEL_FAILURE)
    throw NoChannel{session_->whom() + " gives no SFTP: " + lane_.reason()};
  if (sftp_ == nullptr) lane_.fail("begin SFTP with " + session_->whom());
}

Sftp::~Sftp() {
  lane_.give_back([&] { return libssh2_sftp_shutdown(sftp_); });
}

bool Sftp::gone() const {
  return lane_.failure() == LIBSSH2_ERROR_SFTP_PROTOCOL &&
         libssh2_sftp_last_error(sftp_) == LIBSSH2_FX_NO_SUCH_FILE;
}

void Sftp::fail(const std::string& doing, const std::string& path) {
  const auto what = doing + " '" + one_line(path) + "' on " + session_->whom();
  if (lane_.failure() == LIBSSH2_ERROR_CHANNEL_CLOSED)
    lane_.fail(what, "the SFTP server there has ended");
  if (lane_.failure() != LIBSSH2_ERROR_SFTP_PROTOCOL) lane_.fail(what);
  const auto code = libssh2_sftp_last_error(sftp_);
  const auto why = "cannot " + what + ": " + reason(code, lane_.reason());
  if (code == LIBSSH2_FX_FAILURE) throw SftpFailed{why};
  throw SftpRefused{why};
}

LIBSSH2_SFTP_HANDLE* Sftp::open_handle(const std::string& path, unsigned long flags, unsigned mode,
                                       int type) {
  LIBSSH2_SFTP_HANDLE* made = nullptr;
  ask([&] {
    made = libssh2_sftp_open_ex(sftp_, path.c_str(), length(path), flags, static_cast<long>(mode),
                                type);
    return made == nullptr ? libssh2_session_last_errno(session_->get()) : 0;
  });
  return made;
}

std::optional<Sftp::Info> Sftp::look(const std::string& path) {
  LIBSSH2_SFTP_ATTRIBUTES attributes{};
  const int rc = ask([&] {
    return libssh2_sftp_stat_ex(sftp_, path.c_str(), length(path), LIBSSH2_SFTP_LSTAT, &attributes);
  });
  if (rc == 0) return info_of(attributes);
  if (gone()) return std::nullopt;
  fail("look at", path);
}

std::map<std::string, Sftp::Info> Sftp::list(const std::string& path) {
  auto* handle = open_handle(path, 0, 0, LIBSSH2_SFTP_OPENDIR);
  if (handle == nullptr && gone()) return {};
  if (handle == nullptr) fail("list", path);
  const SftpFile closes{*this, handle, path};
  std::map<std::string, Info> found;
  for (std::size_t names = 0;;) {
    char name[longest_name];
    LIBSSH2_SFTP_ATTRIBUTES attributes{};
    const int n = ask([&] {
      return libssh2_sftp_readdir_ex(handle, name, sizeof name, nullptr, 0, &attributes);
    });
    if (n == 0) return found;
    if (n < 0 && n != LIBSSH2_ERROR_BUFFER_TOO_SMALL) fail("list", path);
    const std::string entry{name, static_cast<std::size_t>(std::max(n, 0))};
    if (entry.empty() || entry.find('/') != entry.npos || entry.find('\0') != entry.npos ||
        ++names > most_names)
      throw Error{session_->whom() + " lists what no directory holds in '" + one_line(path) + "'"};
    if (entry != "." && entry != "..") found.emplace(entry, info_of(attributes));
  }
}

void Sftp::make_directories(const std::string& path) {
  if (path.empty() || look(path)) return;
  make_directories(path.substr(0, path.rfind('/')));
  const int rc =
      ask([&] { return libssh2_sftp_mkdir_ex(sftp_, path.c_str(), length(path), 0755); });
  if (rc != 0) fail("make the directory", path);
}

void Sftp::rename(const std::string& from, const std::string& to) {
  const int rc = ask([&] {
    return libssh2_sftp_rename_ex(sftp_, from.c_str(), length(from), to.c_str(), length(to), 0);
  });
  if (rc != 0) fail("give its name to", from);
}

void Sftp::remove_tree(const std::string& path) {
  if (const auto info = look(path)) remove(path, *info, 0);
}

void Sftp::remove(const std::string& path, const Info& info, int depth) {
  if (depth > deepest) throw Error{"'" + path + "' on " + session_->whom() + " is too deep"};
  if (info.directory)
    for (const auto& [name, inside] : list(path)) remove(path + "/" + name, inside, depth + 1);
  const int rc = ask([&] {
    return info.directory ? libssh2_sftp_rmdir_ex(sftp_, path.c_str(), length(path))
                          : libssh2_sftp_unlink_ex(sftp_, path.c_str(), length(path));
  });
  if (rc != 0 && !gone()) fail("remove", path);
}

Space Sftp::space(const std::string& path) {
  LIBSSH2_SFTP_STATVFS found{};
  const int rc =
      ask([&] { return libssh2_sftp_statvfs(sftp_, path.c_str(), path.size(), &found); });
  if (rc != 0) fail("ask for the space of", path);
  const auto mb = [&](std::uint64_t blocks) {
    return static_cast<std::uint64_t>(static_cast<__uint128_t>(blocks) * found.f_frsize >> 20);
  };
  if (found.f_bfree > found.f_blocks || found.f_bavail > found.f_blocks)
    throw Error{session_->whom() + " has more space than space"};
  return {.used_mb = mb(found.f_blocks - found.f_bfree),
          .total_mb = mb(found.f_blocks),
          .free_mb = mb(found.f_bavail)};
}

// OpenSSH opens a directory as it does a file.  Who does not has done what he could.
void Sftp::sync_directory(const std::string& path) {
  auto* handle = open_handle(path, LIBSSH2_FXF_READ, 0, LIBSSH2_SFTP_OPENFILE);
  if (handle == nullptr) return;
  SftpFile directory{*this, handle, path};
  directory.sync();
}

}  // namespace rsync
