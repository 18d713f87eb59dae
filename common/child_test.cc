// SPDX-License-Identifier: Apache-2.0
#include "common/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "common/file.h"

namespace {

using std::chrono::milliseconds;

// One that does not mind being asked to end.
Child stubborn(const std::filesystem::path& dir, Stop::Then then) {
  const Fd null = open_file("/dev/null", O_RDWR);
  const auto fifo = dir / "ready";
  EXPECT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  Child out{{"sh", "-c", "trap '' TERM; echo >\"$0\"; exec sleep 600", fifo},
            {},
            null.get(),
            null.get(),
            null.get(),
            {.signal = SIGTERM, .grace = milliseconds{50}, .then = then}};
  read_file(fifo);
  return out;
}

TEST(Child, IsKilledOrLeftWhenItsGraceIsOver) {
  const TempDir one, other;
  auto killed = stubborn(one.path(), Stop::Then::kill);
  const pid_t dead = killed.pid();
  killed.stop();
  EXPECT_EQ(waitpid(dead, nullptr, WNOHANG), -1);  // collected

  auto left = stubborn(other.path(), Stop::Then::leave);
  const pid_t alive = left.pid();
  left.stop();
  EXPECT_EQ(waitpid(alive, nullptr, WNOHANG), 0);
  kill(alive, SIGKILL);
  EXPECT_EQ(waitpid(alive, nullptr, 0), alive);
}

}  // namespace
