// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/delta.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "datastore/rsync/lib/test_patch.h"

namespace rsync {
namespace {

constexpr std::size_t kib = 1024, mib = kib << 10, cluster = 64 * kib;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span{text});
}
std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random{seed};
  std::string out(size, '\0');
  for (auto& c : out) c = static_cast<char>(random());
  return out;
}

std::vector<BlockHash> hashes_of(std::string_view bytes, std::size_t block_size) {
  std::vector<BlockHash> out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), block_size)))
    out.push_back(hash_block(std::as_bytes(std::span{bytes.substr(0, block_size)})));
  return out;
}

struct Sides {
  explicit Sides(const std::string& file) : blocks{file.size()}, signature{file.size()} {
    std::uint64_t n = 0;
    for (const auto& hash : hashes_of(file, blocks.block_size())) blocks.set(n++, hash);
    signature.compute(0, bytes_of(file));
  }
  Blocks blocks;
  Signature signature;
};

// Makes the file of the frames, as the server would.
struct Made : Frames {
  explicit Made(std::string old) : base{std::move(old)} {}
  void zeros(std::uint64_t length) override {
    file.append(length, '\0');
    zero += length;
  }
  void copy(std::uint64_t from, std::uint64_t length) override {
    ASSERT_LE(from + length, base.size());
    file += base.substr(from, length);
    ++copies;
  }
  void data(std::span<const std::byte> bytes) override {
    file += text_of(bytes);
    literal += bytes.size();
  }
  void patch(std::string_view delta, std::span<const std::byte> result) override {
    file += patched(base, std::string{delta});
    EXPECT_TRUE(file.ends_with(text_of(result)));
    deltas += delta.size();
  }
  std::string base, file;
  std::uint64_t literal = 0, zero = 0, copies = 0, deltas = 0;
};

std::vector<BlockRun> feed(Delta& delta, const std::string& file, std::size_t piece = mib) {
  std::vector<BlockRun> runs;
  for (std::size_t at = 0; at < file.size(); at += piece) {
    const auto part = std::string_view{file}.substr(at, piece);
    const auto hashes = hashes_of(part, block_size_for(file.size()));
    for (const auto& run : delta.add({at, std::as_bytes(std::span{part}), hashes}))
      append(runs, run);
  }
  delta.finish();
  return runs;
}

// What that costs.  Checks that the entries of the new version come out of the old one's.
struct Cost {
  std::uint64_t literal, zero, copies, deltas;
  std::string file;
};

Cost make(const std::string& base, const std::string& file) {
  const Sides old{base}, now{file};
  Made made{base};
  Delta delta{file.size(), {&old.blocks, &old.signature}, made};
  const auto runs = feed(delta, file);
  EXPECT_TRUE(made.file == file);
  Made entries{old.blocks.file()};
  give_entries(now.blocks.file(), Blocks::header_size, Blocks::entry_size, runs, entries);
  EXPECT_TRUE(entries.file == now.blocks.file());
  Made signature{old.signature.file()};
  give_entries(now.signature.file(), Signature::header_size, Signature::entry_size, runs,
               signature);
  EXPECT_TRUE(signature.file == now.signature.file());
  return {made.literal, made.zero, made.copies, made.deltas, made.file};
}

std::string with(std::string file, std::size_t at, const std::string& bytes) {
  return file.replace(at, bytes.size(), bytes);
}

TEST(Delta, OfEqualFilesIsOneCopy) {
  const auto file = noise(5 * mib + 17, 1);
  const auto made = make(file, file);
  EXPECT_EQ(made.literal, 0u);
  EXPECT_EQ(made.copies, 1u);
}

TEST(Delta, OfChangesInPlaceIsWhatChanged) {
  const auto base = noise(8 * mib, 1);
  const auto file =
      with(with(base, cluster * 3, noise(cluster, 2)), 5 * mib + 4096, noise(4096, 3));
  EXPECT_EQ(make(base, file).literal, cluster + 4096);
}

TEST(Delta, FindsClustersThatMoved) {
  const auto base = noise(8 * mib, 1);
  auto file = base;
  file.insert(2 * mib, noise(cluster, 2));
  file.insert(6 * mib + cluster, noise(2 * cluster, 3));
  const auto made = make(base, file);
  EXPECT_EQ(made.literal, 3 * cluster);
  EXPECT_EQ(made.copies, 3u);
  const auto back = make(file, base);
  EXPECT_EQ(back.literal, 0u);
}

TEST(Delta, FindsWhatMovedByAnOddAmount) {
  const auto base = noise(8 * mib, 1);
  const auto file = base.substr(0, mib) + "!" + base.substr(mib);
  const auto made = make(base, file);
  EXPECT_LT(made.literal + made.deltas, mib / 8);
}

TEST(Delta, OfShrunkAndGrownFiles) {
  const auto base = noise(4 * mib + 5000, 1);
  EXPECT_LE(make(base, base.substr(0, 3 * mib + 100)).literal, 100u);
  EXPECT_LE(make(base, base + noise(100000, 2)).literal, 100000u + 4096);
  EXPECT_EQ(make("", base).literal, base.size());
  EXPECT_EQ(make(base, "").file, "");
  EXPECT_EQ(make("x", "y").literal, 1u);
  EXPECT_EQ(make("x", "x").literal, 0u);
}

TEST(Delta, OfNewFilesIsAllOfThem) {
  const auto file = noise(3 * mib, 2);
  EXPECT_EQ(make(noise(3 * mib, 1), file).literal, file.size());
}

TEST(Delta, SaysZerosAsSuch) {
  const std::string hole(2 * mib, '\0');
  const auto made = make(noise(100, 1), hole + "x" + hole);
  EXPECT_LE(made.literal, 4096u);
  EXPECT_GE(made.zero, 4 * mib - 4096);
  EXPECT_EQ(make(hole, hole + std::string(5, '\0')).zero, hole.size() + 5);
}

TEST(Delta, WithoutAnOldVersionIsTheFile) {
  const auto file = noise(mib, 1) + std::string(mib, '\0') + "end";
  Made made{""};
  Delta delta{file.size(), {}, made};
  const auto runs = feed(delta, file, 128 * kib);
  EXPECT_TRUE(made.file == file);
  EXPECT_EQ(made.zero, mib);
  EXPECT_EQ(runs, (std::vector<BlockRun>{{0, 513, std::nullopt}}));
}

// As when a file grows over the size from which on blocks are larger.
TEST(Delta, WithoutHashesOfBlocksLibrsyncFindsEverything) {
  const auto file = noise(4 * mib, 1);
  const Sides old{file};
  Made made{file};
  Delta delta{file.size(), {nullptr, &old.signature}, made};
  feed(delta, file);
  EXPECT_TRUE(made.file == file);
  EXPECT_LT(made.literal + made.deltas, 1000u);
}

TEST(Delta, GivesUpASearchThatFindsNothing) {
  const auto lost = noise(2 * mib, 1);
  const auto base = noise(8 * mib, 2) + lost;
  const Sides old{base};
  std::string file;
  while (file.size() <= Delta::search_in_vain)
    file += noise(8 * mib, static_cast<unsigned>(3 + file.size()));
  file += "!" + lost;
  Made made{base};
  Delta delta{file.size(), {&old.blocks, &old.signature}, made};
  feed(delta, file);
  EXPECT_TRUE(made.file == file);
  EXPECT_EQ(made.deltas, 0u);
}

// Whoever relies on a hash has to check the whole file: here is why.
TEST(Delta, BelievesAHashThatCollides) {
  const auto base = noise(mib, 1), file = with(base, 0, noise(4096, 2));
  Sides old{base};
  old.blocks.set(0, Sides{file}.blocks.at(0));
  Made made{base};
  Delta delta{file.size(), {&old.blocks, &old.signature}, made};
  feed(delta, file);
  EXPECT_TRUE(made.file == base);
}

}  // namespace
}  // namespace rsync
