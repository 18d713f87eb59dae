// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/receive_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/error.h"
#include "common/file.h"

namespace rsync {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

class ReceiveSinkTest : public testing::Test {
 protected:
  ReceiveSink::Target target(std::uint64_t size, bool sparse = true) {
    return {.fd = file_.get(), .name = "x", .from = 0, .size = size, .sparse = sparse};
  }
  std::string text() const { return read_file(dir_.path() / "file"); }

  TempDir dir_;
  Fd file_ = open_file(dir_.path() / "file", O_RDWR | O_CREAT);
};

std::vector<std::byte> bytes(std::size_t size, int value) {
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

sums::Sum sum_of(const std::string& text) {
  sums::Hash hash;
  hash.add(std::as_bytes(std::span{text}));
  return hash.finish();
}

TEST_F(ReceiveSinkTest, WritesAndHashesWhatComes) {
  ReceiveSink sink{target(100 * mib), {}};
  std::string wanted;
  for (int i = 0; i < 40; ++i) {
    auto part = sink.buffer();
    part.assign(mib / 3, static_cast<std::byte>(i % 5));
    wanted.append(part.size(), static_cast<char>(i % 5));
    sink.add(std::move(part));
    sink.add_zeros(static_cast<std::uint64_t>(i));
    wanted.append(static_cast<std::size_t>(i), '\0');
  }
  EXPECT_EQ(sink.finish(), sum_of(wanted));
  EXPECT_EQ(sink.size(), wanted.size());
  EXPECT_EQ(text(), wanted);
}

TEST_F(ReceiveSinkTest, LeavesZerosOutOrWritesThem) {
  struct stat info {};
  for (const bool sparse : {true, false}) {
    file_ = open_file(dir_.path() / "file", O_RDWR | O_CREAT | O_TRUNC);
    ReceiveSink sink{target(9 * mib, sparse), {}};
    sink.add(bytes(mib, 0));
    sink.add_zeros(7 * mib);
    sink.add(bytes(mib, 0));
    sink.finish();
    ASSERT_EQ(fstat(file_.get(), &info), 0);
    EXPECT_EQ(static_cast<std::size_t>(info.st_size), 9 * mib);
    if (sparse)
      EXPECT_LT(info.st_blocks, 16);
    else
      EXPECT_GE(info.st_blocks, static_cast<blkcnt_t>(9 * mib / 512));
  }
}

TEST_F(ReceiveSinkTest, TakesNoMoreThanWasSaid) {
  ReceiveSink sink{target(10), {}};
  sink.add(bytes(8, 1));
  EXPECT_THROW(sink.add(bytes(3, 1)), Error);
  EXPECT_THROW(sink.add_zeros(~std::uint64_t{0}), Error);
  sink.add_zeros(2);
  EXPECT_THROW(sink.add_zeros(1), Error);
}

TEST_F(ReceiveSinkTest, SaysWhatWentWrongWithoutWaitingForEver) {
  file_ = open_file(dir_.path() / "file", O_RDONLY);
  ReceiveSink sink{target(100 * mib), {}};
  EXPECT_THROW(
      {
        for (int i = 0; i < 100; ++i) sink.add(bytes(mib, 1));
        sink.finish();
      },
      Error);
}

}  // namespace
}  // namespace rsync
