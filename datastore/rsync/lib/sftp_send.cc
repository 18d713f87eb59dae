// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sftp_send.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/cancel.h"
#include "common/file.h"
#include "common/nbd/limiter.h"
#include "common/one/action.h"
#include "datastore/rsync/lib/send_plan.h"
#include "datastore/rsync/lib/sftp_upload.h"

namespace rsync {
namespace {

constexpr int most_in_vain = 3;
constexpr std::chrono::milliseconds pause_after_loss{250};
constexpr std::size_t looked_at = std::size_t{1} << 20;
constexpr Terms to_undo{.silence = std::chrono::seconds{20}, .shielded = true};

class Sender {
 public:
  explicit Sender(const SftpCargo& cargo)
      : cargo_{cargo},
        place_{.directory = cargo.base + "/" + std::to_string(cargo.vm), .owner = cargo.owner},
        limiter_{{.bytes_per_second = cargo.args.bytes_per_second}} {
    if (cargo.args.timeout.count() > 0) terms_.silence = cargo.args.timeout;
    upload_ = {.name = cargo.name, .archive = cargo.args.archive};
    for (const auto& name : cargo.files) upload_.files.push_back(look_at(cargo.directory, name));
    upload_.key = upload_key(cargo.vm, cargo.args.sparse, cargo.directory, upload_.files);
  }

  std::string run() {
    for (int in_vain = 0;;) {
      const auto before = durable();
      try {
        once();
        return report();
      } catch (const Cancelled&) {
        undo();
        throw;
      } catch (const SftpFailed& error) {
        const auto room = room_there();  // before there is some again
        undo();
        throw Error{error.what() + room};
      } catch (const Error& error) {
        in_vain = durable() > before ? 0 : in_vain + 1;
        if (!lost_ || in_vain > most_in_vain) {
          undo();
          throw;
        }
        log(Level::warn, std::string{error.what()} + "; trying to go on");
        cancel::pause(pause_after_loss * (1 << 2 * in_vain));
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
      if (!named_) named_ = committing_ && SftpUpload::committed(sftp, final_path(), upload_);
      if (!named_) send_all(sftp);
      SftpUpload::settle(sftp, final_path(), upload_);
    } catch (const SftpRefused&) {
      lost_ = false;
      throw;
    } catch (const Error&) {
      lost_ = session->broken();
      throw;
    }
  }

  void send_all(Sftp& sftp) {
    SftpUpload upload{sftp, place_, upload_};
    for (const auto& file : upload_.files) send(upload, file);
    committing_ = true;
    upload.commit();
    named_ = true;
  }

  std::string final_path() const { return place_.final_path(cargo_.name); }

  void send(SftpUpload& upload, const UploadFile& file) {
    const auto path = cargo_.directory / file.name;
    const Fd fd = open_file(path, O_RDONLY | O_NOFOLLOW);
    auto begin = begin_of(upload, file, fd.get());
    if (connections_ == 1) had_ += begin.size();
    done_ = done_before(file) + begin.size();
    if (begin.size() == file.size && file.size > 0) return;
    auto at = begin.size();
    const Remember after{*this, upload, file.name};
    upload.put(
        file, std::move(begin),
        [&](std::span<std::byte> out) {
          const auto n = read_some(fd.get(), path, at, out);
          wait_for_our_share(n);
          at += n;
          return n;
        },
        [&](std::uint64_t n) {
          done_ += n;
          if (cargo_.progress) cargo_.progress(done_);
        });
  }

  // What the server has of the file, if it is what the file begins with: by the sum that whoever
  // wrote it has noted, and by a look at the end of it.
  PrefixSum begin_of(SftpUpload& upload, const UploadFile& file, int fd) const {
    const auto noted = upload.noted(file.name);
    if (!noted || noted->size == 0 || noted->size > file.size) return {};
    if (noted->size % PrefixSum::step != 0 && noted->size != file.size) return {};
    const auto path = cargo_.directory / file.name;
    std::vector<std::byte> last(std::min<std::uint64_t>(noted->size, looked_at));
    read_all(fd, path, noted->size - last.size(), last);
    if (!upload.holds(file.name, noted->size, last)) return {};
    if (const auto ours = ours_.find(file.name); ours != ours_.end() && ours->second == *noted)
      return PrefixSum{noted->size, noted->sum};
    auto sum = sum_of(fd, path, noted->size);
    if (sum.sum() != noted->sum) return {};
    return sum;
  }

  // What the connections by now have brought: it need not be sent again.
  std::uint64_t durable() const {
    std::uint64_t bytes = 0;
    for (const auto& [name, noted] : ours_) bytes += noted.size;
    return bytes;
  }

  // What this very process has noted needs no second reading of the file.
  struct Remember {
    Sender& self;
    const SftpUpload& upload;
    const std::string& file;
    ~Remember() {
      if (const auto noted = upload.noted(file)) self.ours_[file] = *noted;
    }
  };

  static PrefixSum sum_of(int fd, const std::filesystem::path& path, std::uint64_t size) {
    PrefixSum sum;
    std::vector<std::byte> buffer(looked_at);
    while (sum.size() < size) {
      const auto part =
          std::span{buffer}.first(std::min<std::uint64_t>(buffer.size(), size - sum.size()));
      read_all(fd, path, sum.size(), part);
      sum.add(part);
    }
    return sum;
  }

  static void read_all(int fd, const std::filesystem::path& path, std::uint64_t at,
                       std::span<std::byte> out) {
    while (!out.empty()) {
      const auto n = read_some(fd, path, at, out);
      if (n == 0) throw Error{"'" + path.string() + "' has become shorter while it was sent"};
      at += n;
      out = out.subspan(n);
    }
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

  // "; ...", for who has failed; nothing if the server does not tell.
  std::string room_there() const noexcept try {
    Sftp sftp{std::make_shared<Session>(cargo_.target, to_undo)};
    const auto free = sftp.space(cargo_.base).free_mb;
    return free == 0 ? "; its file system is full" : "; " + std::to_string(free) + " MB are free";
  } catch (const std::exception&) {
    return "";
  }

  // What cannot be removed now, the next backup of the VM removes.
  void undo() noexcept try {
    if (connections_ == 0 || lost_) return;
    Sftp sftp{std::make_shared<Session>(cargo_.target, to_undo)};
    sftp.remove_tree(place_.partial_path(cargo_.name));
    // The name may be somebody else's.
    if (named_ || (committing_ && SftpUpload::committed(sftp, final_path(), upload_)))
      sftp.remove_tree(final_path());
  } catch (const std::exception&) {
  }

  std::string report() const {
    std::uint64_t total = 0;
    for (const auto& file : upload_.files) total += file.size;
    return "sent whole, by SFTP: " + std::to_string(upload_.files.size()) + " files, " +
           std::to_string(total) + " bytes" +
           (connections_ > 1 ? ", in " + std::to_string(connections_) + " connections" : "") +
           (had_ > 0 ? "; " + std::to_string(had_) + " bytes were there of one that was cut off"
                     : "");
  }

  const SftpCargo& cargo_;
  SftpPlace place_;
  Terms terms_;
  nbd::Limiter limiter_;
  Upload upload_;
  std::map<std::string, SftpNote::File> ours_;
  std::uint64_t done_ = 0, had_ = 0;
  int connections_ = 0;
  bool lost_ = false, committing_ = false;
  bool named_ = false;  // the upload has its name
};

}  // namespace

std::string send_by_sftp(const SftpCargo& cargo) { return Sender{cargo}.run(); }

}  // namespace rsync
