// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/scratch_place.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/quota.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "common/error.h"
#include "common/file.h"

namespace fs = std::filesystem;

namespace host {
namespace {

constexpr int project_quota = 2;  // PRJQUOTA; only the newest glibc has it

struct FileSystem {
  std::uint32_t magic;
  const char* name;
};
constexpr FileSystem remote[] = {
    {0x6969, "NFS"},        {0xff534d42, "CIFS"}, {0xfe534d42, "SMB"},      {0x517b, "SMB"},
    {0x65735546, "FUSE"},   {0x00c36400, "Ceph"}, {0x01021997, "9P"},       {0x0bd00bd0, "Lustre"},
    {0x19830326, "BeeGFS"}, {0x47504653, "GPFS"}, {0x5346414f, "AFS"},      {0x6b414653, "AFS"},
    {0x73757245, "Coda"},   {0x564c, "NCP"},      {0x20030528, "OrangeFS"}, {0xaad7aaea, "PanFS"}};

long ask_quota(int fd, int command, int type, unsigned id, void* answer) {
  return syscall(SYS_quotactl_fd, fd, QCMD(command, type), id, answer);
}

bool is_limited(int fd, int type, unsigned id) {
  dqblk quota{};
  if (ask_quota(fd, Q_GETQUOTA, type, id, &quota) != 0) return false;
  return quota.dqb_bhardlimit != 0 || quota.dqb_bsoftlimit != 0 || quota.dqb_ihardlimit != 0 ||
         quota.dqb_isoftlimit != 0;
}

[[noreturn]] void refuse(const fs::path& dir, const std::string& why) {
  throw Error{"'" + dir.string() +
              "' cannot take what the guest overwrites during a backup: " + why +
              "; set SCRATCH_PATH to a directory on local storage without a quota, where qemu's "
              "user may write"};
}

// errno of an attempt to write there as this user, whatever stands in the way.
int may_write(const fs::path& dir, int uid, int gid) {
  if (geteuid() != 0 || uid < 0) return euidaccess(dir.c_str(), W_OK | X_OK) == 0 ? 0 : errno;
  std::vector<gid_t> groups(1024);
  int count = static_cast<int>(groups.size());
  const passwd* user = getpwuid(static_cast<uid_t>(uid));
  if (!user || getgrouplist(user->pw_name, static_cast<gid_t>(gid), groups.data(), &count) == -1)
    count = 0;
  const pid_t pid = fork();
  if (pid == -1) throw system_error("look into '" + dir.string() + "'", errno);
  if (pid == 0) {
    const bool became = setgroups(static_cast<size_t>(count), groups.data()) == 0 &&
                        setgid(static_cast<gid_t>(gid)) == 0 &&
                        setuid(static_cast<uid_t>(uid)) == 0;
    _exit(!became || access(dir.c_str(), W_OK | X_OK) == 0 ? 0 : errno);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

}  // namespace

std::string remote_file_system(std::uint64_t magic) {
  for (const auto& one : remote)
    if (static_cast<std::uint32_t>(magic) == one.magic) return one.name;
  return "";
}

std::string quota_in(const fs::path& dir, int uid, int gid) {
  const Fd fd{open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  fs_quota_statv state{};
  state.qs_version = FS_QSTATV_VERSION1;
  if (!fd || ask_quota(fd.get(), Q_XGETQSTATV, USRQUOTA, 0, &state) != 0) return "";
  const auto user = uid < 0 ? geteuid() : static_cast<uid_t>(uid);
  const auto group = gid < 0 ? getegid() : static_cast<gid_t>(gid);
  if ((state.qs_flags & FS_QUOTA_UDQ_ENFD) && is_limited(fd.get(), USRQUOTA, user))
    return "user " + std::to_string(user);
  if ((state.qs_flags & FS_QUOTA_GDQ_ENFD) && is_limited(fd.get(), GRPQUOTA, group))
    return "group " + std::to_string(group);
  fsxattr attributes{};
  if ((state.qs_flags & FS_QUOTA_PDQ_ENFD) &&
      ioctl(fd.get(), FS_IOC_FSGETXATTR, &attributes) == 0 && attributes.fsx_projid != 0 &&
      is_limited(fd.get(), project_quota, attributes.fsx_projid))
    return "project " + std::to_string(attributes.fsx_projid);
  return "";
}

void check_scratch_place(const fs::path& dir, int uid, int gid) {
  std::error_code error;
  const auto status = fs::status(dir, error);
  if (status.type() == fs::file_type::not_found) refuse(dir, "it does not exist");
  if (error) throw system_error("look at '" + dir.string() + "'", error.value());
  if (!fs::is_directory(status)) refuse(dir, "it is no directory");
  struct statfs info {};
  if (statfs(dir.c_str(), &info) != 0)
    throw system_error("look at the file system of '" + dir.string() + "'", errno);
  if (const auto name = remote_file_system(static_cast<std::uint64_t>(info.f_type)); !name.empty())
    refuse(dir, "it is on " + name + ", whose errors would reach the guest");
  if (const auto who = quota_in(dir, uid, gid); !who.empty())
    refuse(dir, "a quota limits " + who + " there, and the guest would get the error");
  if (const int why = may_write(dir, uid, gid); why != 0)
    refuse(dir, system_error("write there as qemu's user", why).what());
}

}  // namespace host
