// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/reading.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"

namespace state {
namespace {

TEST(Reading, IsOfManyOrNobodys) {
  const TempDir dir;
  const Home home{dir.path()};
  auto one = std::optional{Reading::ours(home, 5)};
  {
    const auto other = Reading::ours(home, 5);
    EXPECT_FALSE(Reading::nobodys(home, 5));
  }
  EXPECT_FALSE(Reading::nobodys(home, 5));
  EXPECT_TRUE(Reading::nobodys(home, 4) && Reading::nobodys(home, 6)) << "other images";
  one.reset();
  EXPECT_TRUE(Reading::nobodys(home, 5));
  EXPECT_EQ(entries_of(dir.path()).size(), 1U);
}

TEST(Reading, EndsWithWhoReads) {
  const TempDir dir;
  const Home home{dir.path()};
  const pid_t pid = fork();
  if (pid == 0) {
    const auto reading = Reading::ours(home, 5);
    _exit(Reading::nobodys(home, 5) ? 1 : 0);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Reading::nobodys(home, 5));
}

TEST(Reading, IsReadThoughTheFileCannotBeWritten) {
  const TempDir dir;
  const Home home{dir.path()};
  { const auto made = Reading::ours(home, 5); }
  std::filesystem::permissions(dir.path() / "reading.lock", std::filesystem::perms::owner_read);
  EXPECT_NO_THROW(Reading::ours(home, 5));
  EXPECT_THROW(Reading::ours(Home{dir.path() / "gone"}, 5), Error);
}

}  // namespace
}  // namespace state
