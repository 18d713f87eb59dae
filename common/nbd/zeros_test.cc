// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/zeros.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/nbd/test_server.h"

namespace nbd {
namespace {

using namespace testing;
using qcow2::Content;
using qcow2::Extents;

constexpr std::uint64_t kib = 1 << 10, mib = 1 << 20;

class NbdZeros : public ::testing::Test {
 protected:
  void write(std::uint64_t at, std::uint64_t length) {
    const std::string bytes(length, 'x');
    ASSERT_EQ(pwrite(file.get(), bytes.data(), length, static_cast<off_t>(at)),
              static_cast<ssize_t>(length));
  }

  TempDir dir;
  const std::filesystem::path raw = dir.path() / "raw";
  const Fd file = open_file(raw, O_RDWR | O_CREAT);
  const Export source{.socket = dir.path() / "sock", .name = "disk"};
};

}  // namespace

TEST_F(NbdZeros, AreCutOutOfLongData) {
  ASSERT_EQ(ftruncate(file.get(), 16 * mib), 0);
  write(0, mib);
  write(3 * mib + 5, 100);
  write(15 * mib, mib);
  const Server server = serve(source, raw, "raw");
  const Map map{.size = 16 * mib,
                .dirty_bytes = 0,
                .extents = {{0, 8 * mib, Content::data},
                            {9 * mib, mib, Content::zero},
                            {10 * mib, 64 * kib, Content::data},  // too short to look
                            {12 * mib + 4096, 4 * mib - 4096, Content::data}}};
  // The piece that begins at 3 MiB has a zero in its middle, so all of it is looked at.
  EXPECT_EQ(without_zeros(source, map),
            (Extents{{0, mib, Content::data},
                     {mib, 2 * mib, Content::zero},
                     {3 * mib, 64 * kib, Content::data},
                     {3 * mib + 64 * kib, 5 * mib - 64 * kib, Content::zero},
                     {9 * mib, mib, Content::zero},
                     {10 * mib, 64 * kib, Content::data},
                     {12 * mib + 4096, 60 * kib, Content::data},
                     {12 * mib + 64 * kib, 3 * mib - 64 * kib, Content::zero},
                     {15 * mib, mib, Content::data}}));
}

TEST_F(NbdZeros, AServerThatDoesNotAnswerIsAnError) {
  ASSERT_EQ(ftruncate(file.get(), mib), 0);
  Server server = serve(source, raw, "raw");
  server.signal(SIGSTOP);
  const Map map{.size = mib, .dirty_bytes = 0, .extents = {{0, mib, Content::data}}};
  EXPECT_THROW(without_zeros(source, map, std::chrono::seconds{1}), Error);
  server.signal(SIGCONT);
}

}  // namespace nbd
