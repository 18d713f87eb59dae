// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/log.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <regex>

#include "common/file.h"
#include "common/handle.h"
#include "common/test_env.h"

namespace vmvaultd {
namespace {

TEST(Log, GoesToAFileThatMayBeMovedAway) {
  const TempDir directory;
  const auto file = directory.path() / "log";
  const Log log{{.file = file}};
  log('I', 12, "is backed\nup");
  log('D', 12, "not of interest");
  EXPECT_TRUE(std::regex_match(
      read_file(file),
      std::regex{R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[VM 12\]\[I\]: is backed up\n)"}));
  std::filesystem::rename(file, directory.path() / "log.1");
  log('E', -1, "a driver is gone");
  EXPECT_TRUE(read_file(file).ends_with(" [E]: a driver is gone\n"));
}

TEST(Log, GoesToStderrWhereTheFileCannotBeWritten) {
  const Log log{{.file = "/nonexistent/log", .level = 0}};
  testing::internal::CaptureStderr();
  log('E', 3, "no space");
  log('W', 3, "slow");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "[VM 3][E]: no space\n");
}

constexpr int not_allowed = 77;

// A process that has a /dev of its own, and is the syslog there: writes down what it hears.
[[noreturn]] void be_syslog(const std::filesystem::path& heard) {
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("none", "/dev", "tmpfs", 0, nullptr) != 0)
    _exit(not_allowed);
  const Fd listener{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  const sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "/dev/log"};
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    _exit(1);
  const Log log{{.to_syslog = true}};
  log('D', 12, "not of interest");
  log('W', 12, "%s is slow");
  std::array<char, 256> text{};
  const auto size = recv(listener.get(), text.data(), text.size() - 1, MSG_DONTWAIT);
  write_file(heard, text.data());
  _exit(size > 0 ? 0 : 1);
}

TEST(Log, GoesToSyslog) {
  const TempDir directory;
  const auto heard = directory.path() / "heard";
  const auto child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) be_syslog(heard);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == not_allowed)
    GTEST_SKIP() << "no /dev of one's own can be made here";
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(std::regex_match(
      read_file(heard), std::regex{R"(<28>.* vmvaultd\[\d+\]: \[VM 12\]\[W\]: %s is slow\n?)"}))
      << "28: of a daemon, a warning; " << read_file(heard);
}

TEST(Log, TellsTheJournalHowBadItIs) {
  testing::internal::CaptureStderr();  // another file is stderr from here on
  struct stat stream;
  fstat(STDERR_FILENO, &stream);
  const ScopedEnv journal{"JOURNAL_STREAM",
                          std::to_string(stream.st_dev) + ":" + std::to_string(stream.st_ino)};
  const Log log;
  log('W', {"IMAGE", 3}, "slow");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "<4>[IMAGE 3][W]: slow\n");
}

}  // namespace
}  // namespace vmvaultd
