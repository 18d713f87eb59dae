// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <regex>

#include "common/file.h"
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
