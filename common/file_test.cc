// SPDX-License-Identifier: Apache-2.0
#include "common/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <fstream>
#include <thread>
#include <utility>
#include <vector>

#include "common/error.h"

namespace fs = std::filesystem;

namespace {

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

std::size_t entries(const fs::path& dir) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator{dir}, {}));
}

}  // namespace

TEST(File, IsReadWhole) {
  const TempDir dir;
  const std::string text = std::string(200'000, 'x') + std::string{"\0\n", 2};
  write_file(dir.path() / "a", text);
  EXPECT_EQ(read_file(dir.path() / "a"), text);
  EXPECT_NE(read_file("/proc/self/stat"), "");                           // of no size
  EXPECT_LT(read_file("/sys/devices/system/cpu/online").size(), 1000U);  // said to have 4096 bytes
}

TEST(File, NamesWhatItCannotOpen) {
  try {
    read_file("/nonexistent/a");
    FAIL() << "it was read";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "cannot open '/nonexistent/a': No such file or directory");
  }
}

TEST(File, MayBeMissing) {
  const TempDir dir;
  write_file(dir.path() / "a", "text");
  EXPECT_EQ(read_file_if_any(dir.path() / "a"), "text");
  EXPECT_EQ(read_file_if_any(dir.path() / "b"), std::nullopt);
  EXPECT_EQ(read_file_if_any(dir.path() / "a/b"), std::nullopt);
  EXPECT_THROW(read_file_if_any(dir.path()), Error);  // anything else is trouble
}

TEST(File, KnowsACopyOfItself) {
  const TempDir dir;
  const auto file = dir.path() / "a", copy = dir.path() / "b";
  std::string place;
  write_file(file, [&](const std::string& here) { return place = here; });
  EXPECT_NE(place, "");
  EXPECT_EQ(read_file(file), place);
  EXPECT_EQ(place_of(file), place);
  EXPECT_FALSE(is_elsewhere(file, place));
  fs::copy_file(file, copy);
  EXPECT_TRUE(is_elsewhere(copy, place));
  fs::rename(copy, file);  // put back
  EXPECT_TRUE(is_elsewhere(file, place));
  EXPECT_FALSE(is_elsewhere(file, ""));  // an older version's
  EXPECT_TRUE(is_elsewhere(dir.path() / "none", place));
}

std::pair<time_t, long> now(clockid_t clock) {
  timespec out{};
  clock_gettime(clock, &out);
  return {out.tv_sec, out.tv_nsec};
}

// What file systems call now, in steps of some milliseconds, is later than it was for any file.
void wait_for_a_later_time() {
  const auto begun = now(CLOCK_REALTIME);
  while (now(CLOCK_REALTIME_COARSE) <= begun) continue;
}

TEST(File, IsNotItsSuccessorWithTheSameNumber) {
  const TempDir dir;
  const auto file = dir.path() / "a";
  for (int i = 0; i < 20; ++i) {
    std::string place;
    write_file(file, [&](const std::string& here) { return place = here; });
    fs::remove(file);
    wait_for_a_later_time();
    write_file(file, place);
    EXPECT_TRUE(is_elsewhere(file, place));
  }
}

TEST(TempDir, MayBeNamedBefore) {
  const auto name = TempDir::free_name();
  EXPECT_FALSE(fs::exists(name.path));
  {
    const TempDir dir{name};
    EXPECT_EQ(dir.path(), name.path);
    EXPECT_EQ(fs::status(dir.path()).permissions(), fs::perms::owner_all);
    EXPECT_THROW(TempDir{name}, Error) << "it is somebody's";
  }
  EXPECT_FALSE(fs::exists(name.path));
}

TEST(Directory, IsListed) {
  const TempDir dir;
  EXPECT_TRUE(entries_of(dir.path()).empty());
  write_file(dir.path() / "a", "");
  fs::create_symlink("nowhere", dir.path() / "b");
  auto found = entries_of(dir.path());
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, (std::vector{dir.path() / "a", dir.path() / "b"}));
  EXPECT_THROW(entries_of(dir.path() / "a"), Error);
  EXPECT_THROW(entries_of(dir.path() / "c"), Error);
}

TEST(File, IsNotInheritedByChildren) {
  const TempDir dir;
  const Fd fd = open_file(dir.path() / "a", O_WRONLY | O_CREAT);
  EXPECT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(WriteFile, ReplacesTheFileAndLeavesNothingBeside) {
  const TempDir dir;
  write_file(dir.path() / "a", "old");
  const Fd reader = open_file(dir.path() / "a", O_RDONLY);
  write_file(dir.path() / "a", "new and longer");
  EXPECT_EQ(read_file(dir.path() / "a"), "new and longer");
  char buffer[10] = {};
  EXPECT_EQ(read(reader.get(), buffer, sizeof buffer), 3);  // who reads the old one reads all of it
  EXPECT_EQ(entries(dir.path()), 1U);
}

TEST(WriteFile, GivesTheModeThatIsAskedFor) {
  const TempDir dir;
  const auto before = umask(0);
  write_file(dir.path() / "secret", "x");
  umask(before);
  EXPECT_EQ(mode_of(dir.path() / "secret"), 0600U);
  write_file(dir.path() / "open", "x", 0644);
  EXPECT_EQ(mode_of(dir.path() / "open"), 0644U);
}

TEST(WriteFile, LeavesNothingWhenItFails) {
  const TempDir dir;
  fs::create_directory(dir.path() / "a");
  write_file(dir.path() / "a/b", "x");
  EXPECT_THROW(write_file(dir.path() / "a", "x"), Error);  // a directory is not replaced
  EXPECT_EQ(entries(dir.path()), 1U);
  EXPECT_THROW(write_file(dir.path() / "none/a", "x"), Error);
}

TEST(WriteFile, LeavesNothingWhenItsProcessIsKilled) {
  const TempDir dir;
  if (!Fd{open(dir.path().c_str(), O_TMPFILE | O_WRONLY, 0600)})
    GTEST_SKIP() << "this file system has no files without a name";
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none{0, 0}, ten{10, 10};  // the kernel kills who writes more, as it wants to
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_FSIZE, &ten);
    signal(SIGXFSZ, SIG_DFL);
    write_file(dir.path() / "a", std::string(100, 'x'));
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ) << status;
  EXPECT_EQ(entries(dir.path()), 0U);
}

TEST(WriteFile, ReplacesWhatAKilledOneHasLeftBeside) {
  const TempDir dir;
  // Where files have no name until they are whole; elsewhere it is in nobody's way.
  const bool nameless{Fd{open(dir.path().c_str(), O_TMPFILE | O_WRONLY, 0600)}};
  std::ofstream{dir.path() / ".a.vmvault"} << "of a process that was killed";
  write_file(dir.path() / "a", "text");
  EXPECT_EQ(read_file(dir.path() / "a"), "text");
  EXPECT_EQ(entries(dir.path()), nameless ? 1U : 2U);
  fs::create_directories(dir.path() / ".b.vmvault/not/ours");
  write_file(dir.path() / "b", "text");
  EXPECT_EQ(read_file(dir.path() / "b"), "text");
}

TEST(WriteFile, IsWholeWhenSeveralWriteIt) {
  const TempDir dir;
  const auto path = dir.path() / "a";
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b', 'c'})
    writers.emplace_back([&path, letter] {
      for (int n = 0; n < 100; ++n) write_file(path, std::string(5000, letter));
    });
  for (auto& writer : writers) writer.join();
  const auto text = read_file(path);
  EXPECT_EQ(text, std::string(5000, text.at(0)));
  EXPECT_EQ(entries(dir.path()), 1U);
}

TEST(WriteAll, SaysWhatItWasDoing) {
  const Fd full = open_file("/dev/full", O_WRONLY);
  try {
    write_all(full.get(), "x", "write the reply");
    FAIL() << "a full device took it";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "cannot write the reply: No space left on device");
  }
}

TEST(RemoveTree, TakesEverythingAndFollowsNoLink) {
  const TempDir dir;
  fs::create_directories(dir.path() / "tree/a/b");
  write_file(dir.path() / "tree/a/b/c", "x");
  write_file(dir.path() / "keep", "x");
  fs::create_symlink("../keep", dir.path() / "tree/link");
  fs::create_directory_symlink(dir.path(), dir.path() / "tree/up");
  remove_tree(dir.path() / "tree");
  EXPECT_FALSE(fs::exists(dir.path() / "tree"));
  EXPECT_TRUE(fs::exists(dir.path() / "keep"));
  remove_tree(dir.path() / "tree");  // nothing to do
}

TEST(TempDir, IsPrivateAndGoesAway) {
  const TempDir outer;
  {
    const TempDir dir{outer.path()};
    EXPECT_EQ(dir.path().parent_path(), outer.path());
    EXPECT_EQ(mode_of(dir.path()), 0700U);
    fs::create_directories(dir.path() / "a/b");
  }
  EXPECT_TRUE(fs::is_empty(outer.path()));
  EXPECT_THROW(TempDir{"/nonexistent"}, Error);
}

TEST(FileLock, IsHeldByOneAtATime) {
  const TempDir dir;
  const auto path = dir.path() / "lock";
  {
    const auto lock = FileLock::try_lock(path);
    ASSERT_TRUE(lock);
    EXPECT_FALSE(FileLock::try_lock(path));
  }
  EXPECT_TRUE(FileLock::try_lock(path));
  EXPECT_TRUE(fs::exists(path));
}

TEST(FileLock, SaysWhatIsInUse) {
  const TempDir dir;
  const auto path = dir.path() / "lock";
  const auto lock = FileLock::try_lock(path);
  try {
    FileLock::lock(path, std::chrono::seconds{0}, "the backup of VM 12");
    FAIL() << "two locks";
  } catch (const Error& e) {
    EXPECT_EQ(std::string{e.what()}, "the backup of VM 12 is in use by another process ('" +
                                         path.string() + "' is locked)");
  }
}

TEST(FileLock, IsReleasedByTheDeathOfItsHolder) {
  const TempDir dir;
  const pid_t pid = fork();
  if (pid == 0) {
    const auto lock = FileLock::try_lock(dir.path() / "lock");
    raise(SIGKILL);
  }
  waitpid(pid, nullptr, 0);
  EXPECT_TRUE(FileLock::try_lock(dir.path() / "lock"));
}

TEST(FileLock, IsWaitedFor) {
  const TempDir dir;
  const auto path = dir.path() / "lock";
  auto held = FileLock::try_lock(path);
  const pid_t pid = fork();
  if (pid == 0) {
    held.reset();  // our copy of the descriptor
    try {
      FileLock::lock(path, std::chrono::seconds{60}, "it");
    } catch (const Error&) {
      _exit(1);
    }
    _exit(0);
  }
  held.reset();
  int status = 1;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}
