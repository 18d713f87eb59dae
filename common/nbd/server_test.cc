// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "common/file.h"

namespace {

// Something that looks like a server of this socket, and is none.
Child sleeper(const std::filesystem::path& socket, const std::string& image = "/disk.0") {
  const Fd null = open_file("/dev/null", O_RDWR);
  return Child{{"sh", "-c", "sleep 600; :", "sh", "--socket", socket, "--", image},
               {},
               null.get(),
               null.get(),
               null.get(),
               {.signal = SIGKILL}};
}

bool ends_within(const Child& child, int milliseconds) {
  pollfd one{child.fd(), POLLIN, 0};
  return poll(&one, 1, milliseconds) == 1;
}

TEST(NbdEndServers, EndsThoseOfOneDirectory) {
  const TempDir dir;
  Child one = sleeper(dir.path() / "0.sock"), below = sleeper(dir.path() / "0.sock/1.sock"),
        other = sleeper(dir.path().string() + "x/0.sock");
  nbd::end_servers(dir.path());
  EXPECT_TRUE(ends_within(one, 60'000));
  EXPECT_FALSE(ends_within(below, 0));
  EXPECT_FALSE(ends_within(other, 0));
}

// A cluster waits for a client that was killed.
TEST(NbdEndServers, AsksThoseThatReadFromCeph) {
  const TempDir dir;
  Child file = sleeper(dir.path() / "0.sock"), ceph = sleeper(dir.path() / "1.sock", "rbd:one/a@b"),
        opening = sleeper(dir.path() / "2.sock", "rbd:one/c@b");
  for (const char* serves : {"0.sock.pid", "1.sock.pid"}) write_file(dir.path() / serves, "");
  nbd::end_servers(dir.path());
  EXPECT_EQ(file.wait(), 128 + SIGKILL);
  EXPECT_EQ(ceph.wait(), 128 + SIGTERM);
  EXPECT_EQ(opening.wait(), 128 + SIGKILL);
}

}  // namespace
