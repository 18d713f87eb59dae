// SPDX-License-Identifier: Apache-2.0
// Files of a server by SFTP, where nothing of ours can be run.
#pragma once

#include <libssh2_sftp.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "datastore/lib/space.h"
#include "datastore/rsync/lib/session_lane.h"

namespace rsync {

class SftpFile;

// The server has answered, and said no.
struct SftpRefused : Error {
  using Error::Error;
};

// It has not said why: version 3 of SFTP has no word for a full disk.
struct SftpFailed : SftpRefused {
  using SftpRefused::SftpRefused;
};

// For one thread at a time, with all its files; others may use the same session.  Paths are
// absolute.  Throws Error that names the path and the server; Cancelled.
class Sftp {
 public:
  explicit Sftp(std::shared_ptr<Session> session);  // Error, NoChannel
  Sftp(const Sftp&) = delete;
  ~Sftp();

  struct Info {
    std::uint64_t size = 0;
    std::int64_t mtime = 0;
    bool directory = false, regular = false;
  };
  // Of the name itself, not of what a link points to; nullopt: there is nothing.
  std::optional<Info> look(const std::string& path);
  // What a directory holds, by name; empty if there is none.
  std::map<std::string, Info> list(const std::string& path);

  void make_directories(const std::string& path);
  void rename(const std::string& from, const std::string& to);  // to must not be there
  void remove_tree(const std::string& path);  // follows no link; nothing there is no error
  Space space(const std::string& path);
  // As far as the server can: what was renamed or made in there is on its disk.
  void sync_directory(const std::string& path);

  SftpFile open(const std::string& path);  // to read
  // To write, from this offset on; what is behind it goes.  Offset 0 makes the file.
  SftpFile create(const std::string& path, std::uint64_t offset = 0, unsigned mode = 0600);

  std::string read(const std::string& path, std::size_t most = std::size_t{64} << 20);
  void write(const std::string& path, std::string_view text);  // and syncs it

  const Session& session() const { return *session_; }
  const std::shared_ptr<Session>& shared_session() const { return session_; }

 private:
  friend class SftpFile;
  // libssh2 itself would wait for ever for what has ended.
  template <class Call>
  auto ask(Call call) {
    return lane_.drive([&] {
      const auto result = call();
      if (result != LIBSSH2_ERROR_EAGAIN || lane_.sending() ||
          !Lane::ended(libssh2_sftp_get_channel(sftp_)))
        return result;
      libssh2_session_set_last_error(session_->get(), LIBSSH2_ERROR_CHANNEL_CLOSED, nullptr);
      return decltype(call()){LIBSSH2_ERROR_CHANNEL_CLOSED};
    });
  }
  LIBSSH2_SFTP_HANDLE* open_handle(const std::string& path, unsigned long flags, unsigned mode,
                                   int type);
  void remove(const std::string& path, const Info& info, int depth);
  bool gone() const;  // the last failure: there is no such file
  [[noreturn]] void fail(const std::string& doing, const std::string& path);

  std::shared_ptr<Session> session_;
  Lane lane_;
  LIBSSH2_SFTP* sftp_ = nullptr;
};

class SftpFile {
 public:
  SftpFile(SftpFile&& other) noexcept;
  SftpFile& operator=(SftpFile&&) = delete;
  ~SftpFile();

  // The next bytes, at least one; 0: the end.  The server is asked for more ahead.
  std::size_t read(std::span<std::byte> out);
  // Exactly these; Error if the file ends before.
  void read_at(std::uint64_t offset, std::span<std::byte> out);

  // Some megabytes are on the way at any time: written is what flush() or sync() follows.
  void write(std::span<const std::byte> bytes);
  void flush();
  bool
  sync();  // flush(), and then it is on the server's disk; false: the server knows no such thing
  void set_attributes(unsigned mode, std::int64_t mtime);

 private:
  friend class Sftp;
  SftpFile(Sftp& sftp, LIBSSH2_SFTP_HANDLE* handle, std::string path)
      : sftp_{&sftp}, handle_{handle}, path_{std::move(path)} {}
  void drain(std::size_t down_to);

  Sftp* sftp_;
  LIBSSH2_SFTP_HANDLE* handle_;
  std::string path_;
  std::vector<std::byte> buffer_;  // read ahead of the caller, or not yet written
  std::size_t begin_ = 0;          // of what is in use in there
  std::uint64_t position_ = 0;     // of what is read next
};

}  // namespace rsync
