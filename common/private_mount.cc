// SPDX-License-Identifier: Apache-2.0
#include "common/private_mount.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "common/error.h"
#include "common/file.h"

namespace fs = std::filesystem;

namespace {

constexpr std::size_t most_entries = 4096;  // of a directory that has to be imitated

void insist(bool good, const std::string& doing) {
  if (!good) throw system_error(doing, errno);
}

void attach(const std::string& what, const fs::path& at, const char* type, unsigned long flags,
            const std::string& options = {}) {
  insist(mount(what.c_str(), at.c_str(), type, flags,
               options.empty() ? nullptr : options.c_str()) == 0,
         "mount on '" + at.string() + "'");
}

void write_to(const char* file, const std::string& text) {
  write_all(open_file(file, O_WRONLY).get(), text, std::string{"write "} + file);
}

enum class Namespaces { mount, mount_and_user };

Namespaces leave_namespaces() {
  const auto uid = std::to_string(geteuid()), gid = std::to_string(getegid());
  auto left = Namespaces::mount;
  if (unshare(CLONE_NEWNS) != 0) {
    insist(unshare(CLONE_NEWNS | CLONE_NEWUSER) == 0, "make a namespace");
    left = Namespaces::mount_and_user;
    // In there we are who we were, and nobody else is anybody.
    write_to("/proc/self/setgroups", "deny");
    write_to("/proc/self/uid_map", uid + " " + uid + " 1");
    write_to("/proc/self/gid_map", gid + " " + gid + " 1");
  }
  attach("none", "/", nullptr, MS_REC | MS_PRIVATE);
  return left;
}

struct Entry {
  std::string name;
  unsigned char type;
};

std::vector<Entry> entries_of(const fs::path& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open{opendir(directory.c_str()), closedir};
  insist(open != nullptr, "read the directory '" + directory.string() + "'");
  std::vector<Entry> all;
  while (const auto* entry = readdir(open.get())) {
    const std::string name{entry->d_name};
    if (name == "." || name == "..") continue;
    all.push_back({name, entry->d_type});
    if (all.size() > most_entries)
      throw Error{"there is too much in '" + directory.string() + "' to imitate it"};
  }
  return all;
}

void imitate(const fs::path& old, const fs::path& at, const Entry& entry) {
  const auto from = old / entry.name, to = at / entry.name;
  if (entry.type == DT_LNK) {
    fs::create_symlink(fs::read_symlink(from), to);
    return;
  }
  if (entry.type == DT_DIR || (entry.type == DT_UNKNOWN && fs::is_directory(from)))
    insist(mkdir(to.c_str(), 0755) == 0, "make '" + to.string() + "'");
  else
    open_file(to, O_WRONLY | O_CREAT | O_EXCL);
  attach(from.string(), to, nullptr, MS_BIND | MS_REC);
}

// A directory that looks as it did, and can be added to without anybody else seeing it.
void imitate(const fs::path& directory) {
  if (directory == "/") throw Error{"nothing can be added to '/'"};
  const auto entries = entries_of(directory);
  const Fd old = open_file(directory, O_PATH | O_DIRECTORY);
  attach("none", directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
  const fs::path below = "/proc/self/fd/" + std::to_string(old.get());
  for (const auto& entry : entries) imitate(below, directory, entry);
}

void make_directory(const fs::path& at) {
  auto existing = at;
  while (!fs::exists(existing)) existing = existing.parent_path();
  if (existing == at) return;
  imitate(fs::canonical(existing));
  fs::create_directories(at);
}

// ssh refuses configuration that is included from a file of root's, when root is nobody here.
void adopt_configuration_of_ssh() {
  const fs::path directory = "/etc/ssh/ssh_config.d";
  std::error_code none;
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : fs::directory_iterator{directory, none})
    if (entry.is_regular_file(none))
      if (auto text = read_file_if_any(entry.path()))
        files.emplace_back(entry.path().filename(), *std::move(text));
  if (files.empty()) return;
  attach("none", directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
  for (const auto& [name, text] : files)
    write_all(open_file(directory / name, O_WRONLY | O_CREAT | O_EXCL, 0644).get(), text,
              "copy the configuration of ssh");
}

// Whoever serves it need not be in here, but whoever mounts it must.
Fd mount_fuse(const fs::path& at) {
  auto fuse = open_file("/dev/fuse", O_RDWR);
  attach("vmvault", at, "fuse.vmvault", MS_NOSUID | MS_NODEV | MS_RDONLY,
         "fd=" + std::to_string(fuse.get()) +
             ",rootmode=40000,user_id=" + std::to_string(geteuid()) +
             ",group_id=" + std::to_string(getegid()) + ",default_permissions");
  return fuse;
}

// An error, or what was made, and its descriptor.
constexpr std::string_view user_too = "mount and user";
void send(int socket, std::string_view words, int fd) {
  iovec part{const_cast<char*>(words.data()), words.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd != -1) {
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    auto* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  sendmsg(socket, &message, MSG_NOSIGNAL);
}

std::pair<Fd, Namespaces> receive(int socket) {
  std::array<char, 1024> words{};
  iovec part{words.data(), words.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  ssize_t size;
  while ((size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) == -1 && errno == EINTR) {
  }
  if (size <= 0) throw Error{"the process that was to make it has ended"};
  const std::string_view said{words.data(), static_cast<std::size_t>(size)};
  const auto* head = CMSG_FIRSTHDR(&message);
  if (!head || head->cmsg_type != SCM_RIGHTS) throw Error{std::string{said}};
  int fd;
  std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
  return {Fd{fd}, said == user_too ? Namespaces::mount_and_user : Namespaces::mount};
}

// Of all that it inherited it keeps the socket, and stderr.  Waits until nobody holds the other
// end.
[[noreturn]] void keep(const fs::path& at, int socket) noexcept {
  try {
    dup2(socket, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    const bool user = leave_namespaces() == Namespaces::mount_and_user;
    make_directory(at);
    if (user) adopt_configuration_of_ssh();
    auto fuse = mount_fuse(at);
    send(STDIN_FILENO, user ? user_too : "mount", fuse.get());
    fuse.reset();  // with the other one the file system ends
  } catch (const std::exception& error) {
    send(STDIN_FILENO, error.what(), -1);
    _exit(1);
  }
  char byte;
  while (read(STDIN_FILENO, &byte, 1) == -1 && errno == EINTR) {
  }
  _exit(0);
}

}  // namespace

PrivateMount::PrivateMount(const fs::path& at) {
  int ends[2];
  insist(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0, "make a socket");
  leash_.reset(ends[0]);
  Fd other{ends[1]};
  keeper_ = fork();
  insist(keeper_ != -1, "start a process");
  if (keeper_ == 0) keep(at, other.get());
  other.reset();
  prefix_ = {"nsenter", "--target", std::to_string(keeper_), "--mount"};
  try {
    auto [fuse, namespaces] = receive(leash_.get());
    fuse_ = std::move(fuse);
    if (namespaces == Namespaces::mount_and_user)
      prefix_.insert(prefix_.end(), {"--user", "--preserve-credentials"});
  } catch (const Error& error) {
    leash_.reset();
    waitpid(keeper_, nullptr, 0);
    throw Error{"no private mount on '" + at.string() + "': " + error.what()};
  }
  prefix_.push_back("--");
}

PrivateMount::~PrivateMount() {
  leash_.reset();
  waitpid(keeper_, nullptr, 0);
}
