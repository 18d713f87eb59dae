// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/raw_export.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <deque>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "common/cancel.h"
#include "common/child.h"
#include "common/command.h"
#include "common/ended.h"
#include "common/error.h"
#include "common/file.h"
#include "common/mount.h"
#include "common/one/action.h"
#include "common/qcow2/image_file.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int often = 20;  // milliseconds: nobody tells when it is mounted
constexpr const char* program = "qemu-storage-daemon";

// What a raw file is mounted on.
class MountPoint {
 public:
  // Takes the empty file that an earlier one left, and no other that is there.
  explicit MountPoint(fs::path path) : path_{std::move(path)} {
    struct stat there {};
    const bool left = lstat(path_.c_str(), &there) == 0 && S_ISREG(there.st_mode) &&
                      there.st_size == 0 && (there.st_mode & 0777) == mode &&
                      there.st_uid == geteuid() && !mount_on(path_);
    if (!left) open_file(path_, O_WRONLY | O_CREAT | O_EXCL, mode);
  }
  MountPoint(const MountPoint&) = delete;
  MountPoint& operator=(const MountPoint&) = delete;
  ~MountPoint() {
    try {
      unmount_fuse(path_, "fuse");  // of a daemon that was killed
      if (unlink(path_.c_str()) != 0) throw system_error("remove '" + path_.string() + "'", errno);
    } catch (const Error& error) {
      log(Level::warn, error.what());
    }
  }
  const fs::path& path() const { return path_; }

 private:
  // fusermount3 mounts for an ordinary user only on what he may write.
  static constexpr mode_t mode = 0600;
  fs::path path_;
};

// The reason comes before what it led to.
std::string joined_lines(const std::string& text) {
  std::istringstream lines{text};
  std::string all;
  for (std::string line; std::getline(lines, line);)
    if (const auto words = one_line(line); !words.empty()) all += (all.empty() ? "" : "; ") + words;
  return all;
}

// What the files say of each other does not count: the chain is the image's.
class Daemon {
 public:
  // `chain`: oldest first.
  void add(int disk, const std::vector<fs::path>& chain, const fs::path& mount_point) {
    std::string below;
    for (const auto& file : chain) {
      check_header_of(file, "'" + file.filename().string() + "' of the backup",
                      below.empty() ? Backing::refused : Backing::overridden);
      const auto node = "disk" + std::to_string(disk) + "-" + std::to_string(nodes_++);
      option("--blockdev",
             {{"driver", "qcow2"},
              {"node-name", node},
              {"read-only", true},
              {"backing", below.empty() ? json{} : json(below)},
              {"file", {{"driver", "file"}, {"filename", file.string()}, {"locking", "off"}}}});
      below = node;
    }
    option("--export", {{"type", "fuse"},
                        {"id", "disk" + std::to_string(disk)},
                        {"node-name", below},
                        {"mountpoint", mount_point.string()},
                        {"allow-other", "off"}});
  }

  void start() {
    const auto null = open_file("/dev/null", O_RDWR);
    Pipe err;
    child_.emplace(argv_, std::vector<std::string>{}, null.get(), null.get(), err.write.get());
    err_ = std::move(err.read);
  }

  int ended() const { return child_->fd(); }

  // After its end.
  Error failure() {
    const auto status = child_->wait();
    std::string words(4096, '\0');
    const auto n = read(err_.get(), words.data(), words.size());
    words.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return Error{::ended(std::string{program}, status) + ": " + joined_lines(words)};
  }

 private:
  void option(const char* name, const json& value) {
    argv_.insert(argv_.end(), {name, value.dump()});
  }

  // It unmounts when we die, however that is.
  std::vector<std::string> argv_{"setpriv", "--pdeathsig", "TERM", "--", program};
  int nodes_ = 0;
  Fd err_;
  std::optional<Child> child_;
};

// Waits, for at most `limit` milliseconds (-1: for ever).  false: somebody wants us to end.
bool goes_on(Daemon& server, const RawProvider& provider, int limit) {
  pollfd fds[] = {{cancel::fd(), POLLIN, 0},
                  {cancel::watched(), POLLRDHUP, 0},
                  {server.ended(), POLLIN, 0},
                  {provider.ended, POLLIN, 0}};
  poll(fds, std::size(fds), limit);
  if (cancel::requested()) return false;
  if (fds[2].revents != 0) throw server.failure();
  if (fds[3].revents != 0) throw Error{provider.name + " has ended"};
  return true;
}

bool all_are_mounted(const std::deque<MountPoint>& points) {
  for (const auto& point : points)
    if (!mount_on(point.path())) return false;
  return true;
}

}  // namespace

void serve_raw(const std::vector<RawDisk>& disks, const fs::path& dir,
               const RawProvider& provider) {
  std::deque<MountPoint> points;
  Daemon server;
  for (const auto& disk : disks) {
    const auto& point = points.emplace_back(dir / ("disk." + std::to_string(disk.id) + ".raw"));
    server.add(disk.id, disk.chain, point.path());
  }
  server.start();
  while (!all_are_mounted(points))
    if (!goes_on(server, provider, often)) return;
  for (const auto& point : points) std::printf("%s\n", point.path().c_str());
  std::fflush(stdout);
  while (goes_on(server, provider, -1)) {
  }
}
