// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sftp_send.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "common/cancel.h"
#include "common/file.h"
#include "common/nbd/limiter.h"
#include "common/one/action.h"
#include "common/random.h"
#include "datastore/rsync/lib/sftp_upload.h"

namespace rsync {
namespace {

constexpr int most_in_vain = 3;
constexpr std::chrono::seconds pause_after_loss{1};
constexpr Terms to_undo{.silence = std::chrono::seconds{20}, .shielded = true};

class Sender {
 public:
  explicit Sender(const SftpCargo& cargo)
      : cargo_{cargo}, limiter_{{.bytes_per_second = cargo.args.bytes_per_second}} {
    if (cargo.args.timeout.count() > 0) terms_.silence = cargo.args.timeout;
    // Nobody can tell by SFTP what another process has left there; our own we know.
    upload_ = {.name = cargo.name, .key = random_hex(64), .archive = cargo.args.archive};
    for (const auto& name : cargo.files) {
      struct stat info {};
      const auto path = cargo.directory / name;
      if (lstat(path.c_str(), &info) != 0)
        throw system_error("look at '" + path.string() + "'", errno);
      if (!S_ISREG(info.st_mode)) throw Error{"'" + path.string() + "' is not a file"};
      upload_.files.push_back(
          {.name = name,
           .size = static_cast<std::uint64_t>(info.st_size),
           .mtime_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec,
           .mode = info.st_mode & 0777});
    }
  }

  std::string run() {
    for (int in_vain = 0;;) {
      const auto before = sent_;
      try {
        once();
        return report();
      } catch (const Cancelled&) {
        undo();
        throw;
      } catch (const Error& error) {
        in_vain = sent_ > before ? 0 : in_vain + 1;
        if (!lost_ || in_vain > most_in_vain) {
          undo();
          throw;
        }
        log(Level::warn, std::string{error.what()} + "; trying to go on");
        Patience{"", {.silence = {}}}.wait({}, pause_after_loss * (1 << 2 * in_vain));
      }
    }
  }

 private:
  void once() {
    // A server that has never let us in is not one that was lost.
    const auto session = std::make_shared<Session>(cargo_.target, terms_);
    ++connections_;
    lost_ = true;
    Sftp sftp{session};
    try {
      if (committing_ && sftp.look(final_path())) return;
      SftpUpload upload{sftp, cargo_.base, cargo_.vm, upload_};
      for (const auto& file : upload_.files) send(upload, file);
      committing_ = true;
      upload.commit();
    } catch (const SftpRefused&) {
      lost_ = false;
      throw;
    } catch (const Error&) {
      lost_ = session->broken();
      throw;
    }
  }

  std::string final_path() const {
    return cargo_.base + "/" + std::to_string(cargo_.vm) + "/" + cargo_.name;
  }

  void send(SftpUpload& upload, const UploadFile& file) {
    const auto path = cargo_.directory / file.name;
    const auto from = std::min(upload.had(file.name), file.size);
    done_ = done_before(file) + from;
    if (from == file.size && from > 0) return;
    const Fd fd = open_file(path, O_RDONLY | O_NOFOLLOW);
    auto at = from;
    upload.put(
        file, from,
        [&](std::span<std::byte> out) {
          const auto n = read_some(fd.get(), path, at, out);
          wait_for_our_share(n);
          at += n;
          return n;
        },
        [&](std::uint64_t n) {
          sent_ += n;
          done_ += n;
          if (cargo_.progress) cargo_.progress(done_);
        });
  }

  std::uint64_t done_before(const UploadFile& file) const {
    std::uint64_t bytes = 0;
    for (const auto& one : upload_.files) {
      if (one.name == file.name) break;
      bytes += one.size;
    }
    return bytes;
  }

  static std::size_t read_some(int fd, const std::filesystem::path& path, std::uint64_t at,
                               std::span<std::byte> out) {
    cancel::check();
    for (;;) {
      const ssize_t n = pread(fd, out.data(), out.size(), static_cast<off_t>(at));
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR) throw system_error("read '" + path.string() + "'", errno);
      cancel::check();
    }
  }

  void wait_for_our_share(std::size_t bytes) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(limiter_.admit(bytes) -
                                                                   nbd::Limiter::Clock::now());
    if (left.count() > 0) Patience{"", {.silence = {}}}.wait({}, left);
  }

  // What cannot be removed now, the next backup of the VM removes.
  void undo() noexcept try {
    if (connections_ == 0 || lost_) return;
    Sftp sftp{std::make_shared<Session>(cargo_.target, to_undo)};
    sftp.remove_tree(final_path() + ".partial");
    if (committing_) sftp.remove_tree(final_path());
  } catch (const std::exception&) {
  }

  std::string report() const {
    std::uint64_t total = 0;
    for (const auto& file : upload_.files) total += file.size;
    return "sent whole, by SFTP: " + std::to_string(upload_.files.size()) + " files, " +
           std::to_string(total) + " bytes" +
           (connections_ > 1 ? ", in " + std::to_string(connections_) + " connections" : "");
  }

  const SftpCargo& cargo_;
  Terms terms_;
  nbd::Limiter limiter_;
  Upload upload_;
  std::uint64_t sent_ = 0, done_ = 0;
  int connections_ = 0;
  bool lost_ = false, committing_ = false;
};

}  // namespace

std::string send_by_sftp(const SftpCargo& cargo) { return Sender{cargo}.run(); }

}  // namespace rsync
