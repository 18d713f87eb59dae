// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/blocks.h"

#include <gtest/gtest.h>

#include <string>

#include "common/error.h"

namespace rsync {
namespace {

constexpr std::uint64_t kib = 1024, mib = kib << 10, gib = mib << 10, tib = gib << 10;

TEST(BlockSize, GrowsSoThatATableStaysSmall) {
  EXPECT_EQ(block_size_for(0), 4 * kib);
  EXPECT_EQ(block_size_for(16 * gib), 4 * kib);
  EXPECT_EQ(block_size_for(16 * gib + 1), 8 * kib);
  EXPECT_EQ(block_size_for(256 * gib), 64 * kib);
  EXPECT_EQ(block_size_for(tib), 64 * kib);
  EXPECT_EQ(block_size_for(16 * tib), mib);
}

TEST(Blocks, FindsWhatIsThere) {
  Blocks blocks{4 * 4096 + 1};
  ASSERT_EQ(blocks.count(), 5u);
  EXPECT_EQ(blocks.length(3), 4096u);
  EXPECT_EQ(blocks.length(4), 1u);
  for (std::uint64_t n = 0; n < 5; ++n) blocks.set(n, {n % 3, 7});
  EXPECT_EQ(blocks.find({1, 7}), 1u);  // the first of two
  EXPECT_EQ(blocks.find({2, 7}), 2u);
  EXPECT_EQ(blocks.find({1, 8}), std::nullopt);
  EXPECT_EQ(blocks.find({3, 7}), std::nullopt);
}

TEST(Blocks, AreTheirFile) {
  Blocks blocks{10000};
  blocks.set(2, {5, 6});
  const auto read = Blocks::parse(blocks.file(), 10000);
  EXPECT_EQ(read.count(), 3u);
  EXPECT_EQ(read.at(2), (BlockHash{5, 6}));
  EXPECT_EQ(blocks.file().size(), Blocks::size_for(10000));
}

TEST(Blocks, OfAnEmptyFileAreNone) {
  const Blocks blocks{0};
  EXPECT_EQ(blocks.count(), 0u);
  EXPECT_EQ(blocks.find({0, 0}), std::nullopt);
}

TEST(Blocks, RefuseWhatIsNoTableOfThatFile) {
  const auto good = Blocks{10000}.file();
  EXPECT_THROW(Blocks::parse("", 10000), Error);
  EXPECT_THROW(Blocks::parse(good, 9999), Error);
  EXPECT_THROW(Blocks::parse(good, 20000), Error);
  EXPECT_THROW(Blocks::parse(good.substr(1), 10000), Error);
  for (std::size_t n = 0; n < Blocks::header_size; ++n) {
    auto bad = good;
    ++bad[n];
    EXPECT_THROW(Blocks::parse(bad, 10000), Error) << n;
  }
}

// It would take hours if each of them were compared with all before it.
TEST(Blocks, ThatAServerHasMadeUpToCollideCostNoMore) {
  Blocks blocks{4 * gib};
  for (std::uint64_t n = 0; n < blocks.count(); ++n) blocks.set(n, {5, n});
  EXPECT_EQ(blocks.find({5, 0}), 0u);
  EXPECT_EQ(blocks.find({5, blocks.count()}), std::nullopt);
}

TEST(IsZero, LooksAtAllBytes) {
  std::string bytes(100, '\0');
  const auto span = std::as_bytes(std::span{bytes});
  EXPECT_TRUE(is_zero(span));
  EXPECT_TRUE(is_zero(span.first(1)));
  EXPECT_TRUE(is_zero({}));
  bytes.back() = 1;
  EXPECT_FALSE(is_zero(span));
  EXPECT_FALSE(is_zero(span.last(1)));
}

}  // namespace
}  // namespace rsync
