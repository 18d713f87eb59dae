// SPDX-License-Identifier: Apache-2.0
#include "common/process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace {

TEST(Process, IsKnownByMoreThanItsNumber) {
  const Process self = Process::self();
  EXPECT_EQ(self.pid, getpid());
  EXPECT_TRUE(self.alive());
  EXPECT_EQ(Process::parse(self.text()), self);
  Process later = self;
  later.start += "1";
  EXPECT_FALSE(later.alive());
  EXPECT_FALSE(later.open());
  EXPECT_FALSE(later.signal(SIGTERM));
}

TEST(Process, TextOfNone) {
  for (const auto* text : {"", "12", "12 34", "x 34 boot", "-1 34 boot", "0 34 boot"})
    EXPECT_FALSE(Process::parse(text)) << text;
}

TEST(Process, TellsItsArguments) {
  const Process self = Process::self();
  EXPECT_FALSE(self.arguments().empty());
  EXPECT_FALSE(self.name().empty());
  const auto all = all_processes();
  EXPECT_NE(std::find(all.begin(), all.end(), self.pid), all.end());
}

TEST(Process, ThatEndedIsNone) {
  const pid_t pid = fork();
  if (pid == 0)
    for (;;) pause();
  const auto child = Process::living(pid);
  ASSERT_TRUE(child);
  EXPECT_TRUE(child->signal(SIGKILL));
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
  EXPECT_FALSE(child->alive());  // not collected yet
  waitpid(pid, nullptr, 0);
  EXPECT_FALSE(child->signal(SIGTERM));
  EXPECT_TRUE(child->arguments().empty());
}

}  // namespace
