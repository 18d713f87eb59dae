// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sftp_note.h"

#include <gtest/gtest.h>

#include <vector>

namespace rsync {
namespace {

constexpr std::size_t piece = std::size_t{1} << 20;

std::vector<std::byte> bytes_of(int seed, std::size_t size = piece) {
  return std::vector<std::byte>(size, std::byte(seed));
}

TEST(PrefixSum, CanBeGoneOnFromAnyWholeStep) {
  PrefixSum all;
  std::string at_step;
  for (int i = 0; i < 130; ++i) {
    if (all.size() == PrefixSum::step) at_step = all.sum();
    all.add(bytes_of(i));
  }
  EXPECT_EQ(all.size(), 130 * piece);
  PrefixSum rest{PrefixSum::step, at_step};
  for (int i = 64; i < 130; ++i) rest.add(bytes_of(i));
  EXPECT_EQ(rest.size(), all.size());
  EXPECT_EQ(rest.sum(), all.sum());
}

TEST(PrefixSum, DoesNotDependOnTheParts) {
  PrefixSum one, two;
  one.add(bytes_of(1, PrefixSum::step + 5));
  two.add(bytes_of(1, 7));
  two.add(bytes_of(1, PrefixSum::step - 7));
  const auto at_step = two.sum();
  two.add(bytes_of(1, 5));
  EXPECT_EQ(one.sum(), two.sum());
  EXPECT_NE(one.sum(), at_step);
}

TEST(PrefixSum, SeesEachByte) {
  const auto sum_of = [](std::size_t at) {
    auto bytes = bytes_of(0, PrefixSum::step + piece);
    bytes[at] = std::byte{1};
    PrefixSum sum;
    sum.add(bytes);
    return sum.sum();
  };
  EXPECT_NE(sum_of(0), sum_of(1));
  EXPECT_NE(sum_of(PrefixSum::step - 1), sum_of(PrefixSum::step));
  EXPECT_EQ(sum_of(3), sum_of(3));
  EXPECT_NE(PrefixSum{}.sum(), PrefixSum(PrefixSum::step, std::string(64, 'a')).sum());
}

TEST(SftpNote, ComesBackAsItWas) {
  const std::string sum(64, 'a');
  const SftpNote note{.key = sum, .serial = 7, .files = {{"disk.0.0", {5, sum}}}};
  const auto back = SftpNote::decode(note.encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->key, sum);
  EXPECT_EQ(back->serial, 7U);
  EXPECT_EQ(back->files.at("disk.0.0").size, 5U);
  EXPECT_EQ(back->files.at("disk.0.0").sum, sum);
}

TEST(SftpNote, OfAnotherShapeIsNone) {
  const std::string sum(64, 'a');
  const auto text = SftpNote{.key = sum, .serial = 7, .files = {{"x", {5, sum}}}}.encode();
  EXPECT_TRUE(SftpNote::decode(text));
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(SftpNote::decode(text.substr(0, size))) << size;
  EXPECT_FALSE(SftpNote::decode("[]"));
  EXPECT_FALSE(SftpNote::decode(R"({"key":"x","serial":1,"files":{}})"));
  EXPECT_FALSE(
      SftpNote::decode(R"({"key":")" + sum + R"(","serial":1,"files":{"x":{"size":-1}}})"));
}

}  // namespace
}  // namespace rsync
