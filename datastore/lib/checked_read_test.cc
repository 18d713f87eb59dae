// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/checked_read.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "common/error.h"
#include "common/sums.h"

namespace {

class CheckedReadTest : public testing::Test {
 protected:
  CheckedReadTest() {
    for (std::size_t i = 0; i < file.size(); ++i) file[i] = static_cast<std::byte>(i * 7 / 1024);
    sums::Writer writer;
    writer.add(file);
    sums = writer.finish();
  }
  qcow2::ReadAt opened() {
    return checked(
        [this](std::uint64_t offset, std::span<std::byte> out) {
          ++reads;
          const auto n =
              std::min<std::size_t>(out.size(), file.size() - std::min(file.size(), offset));
          std::copy_n(file.begin() + static_cast<std::ptrdiff_t>(offset), n, out.begin());
          return n;
        },
        size, sums, "disk.0.3");
  }
  void reads_right(const qcow2::ReadAt& read, std::uint64_t offset, std::size_t length,
                   std::size_t expected) {
    std::vector<std::byte> out(length);
    ASSERT_EQ(read(offset, out), expected) << offset;
    EXPECT_TRUE(std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(expected),
                           file.begin() + static_cast<std::ptrdiff_t>(offset)));
  }

  const std::size_t size = 2 * sums::piece_size + 1000;
  std::vector<std::byte> file = std::vector<std::byte>(size);
  std::string sums;
  int reads = 0;
};

TEST_F(CheckedReadTest, GivesTheSameBytes) {
  const auto read = opened();
  reads_right(read, 0, 100, 100);
  reads_right(read, 100, 4096, 4096);
  EXPECT_EQ(reads, 1) << "a piece at a time";
  reads_right(read, sums::piece_size - 5, 10, 10);
  reads_right(read, 2 * sums::piece_size - 1, 5000, 1001);
  reads_right(read, size, 5, 0);
  reads_right(read, 0, size, size);
}

TEST_F(CheckedReadTest, RefusesAPieceThatIsAnother) {
  file[sums::piece_size + 77] ^= std::byte{1};
  const auto read = opened();
  reads_right(read, 0, 100, 100);
  std::vector<std::byte> out(10);
  for (int i = 0; i < 2; ++i) EXPECT_THROW(read(sums::piece_size + 5000, out), Error);
  reads_right(read, 2 * sums::piece_size, 100, 100);
}

TEST_F(CheckedReadTest, RefusesAFileThatIsShorterAndSumsThatAreFewer) {
  auto read = opened();
  std::vector<std::byte> out(10);
  file.pop_back();
  EXPECT_THROW(read(2 * sums::piece_size, out), Error);
  sums.resize(sums::sum_size);
  read = opened();
  EXPECT_THROW(read(sums::piece_size, out), Error);
}

}  // namespace
