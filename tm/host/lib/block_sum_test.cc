// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/block_sum.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/error.h"

namespace host {
namespace {

std::vector<std::byte> filled(std::size_t size, int value) {
  return std::vector<std::byte>(size, static_cast<std::byte>(value));
}

}  // namespace

TEST(BlockSum, IsTheSameForAllWaysToCutADisk) {
  BlockSum one, other;
  one.add(4000, filled(10000, 7));
  other.add(0, filled(4000, 0));
  other.add(4000, filled(1, 7));
  other.add(4001, filled(9999, 7));
  other.add(40960, filled(8192, 0));
  EXPECT_EQ(one.finish(), other.finish());
}

TEST(BlockSum, TellsPlaceAndContent) {
  const auto sum = [](std::uint64_t offset, int value) {
    BlockSum out;
    out.add(offset, filled(4096, value));
    return out.finish();
  };
  EXPECT_EQ(sum(4096, 1), sum(4096, 1));
  EXPECT_NE(sum(4096, 1), sum(8192, 1));
  EXPECT_NE(sum(4096, 1), sum(4096, 2));
  EXPECT_EQ(sum(4096, 0), sum(8192, 0));
}

TEST(BlockSum, InsistsOnOrder) {
  BlockSum sum;
  sum.add(4096, filled(1, 1));
  EXPECT_THROW(sum.add(4096, filled(1, 1)), Error);
}

}  // namespace host
