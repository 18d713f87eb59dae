// SPDX-License-Identifier: Apache-2.0
#include "common/sums.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

namespace sums {
namespace {

std::span<const std::byte> bytes_of(const std::string& text, std::size_t at = 0,
                                    std::size_t length = std::string::npos) {
  const auto part = std::string_view{text}.substr(at, length);
  return std::as_bytes(std::span{part.data(), part.size()});
}

std::string noise(std::size_t size, unsigned seed = 1) {
  std::mt19937 random{seed};
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

std::string sums_of(const std::string& file) {
  Writer writer;
  writer.add(bytes_of(file));
  return writer.finish();
}

std::string hex(const std::string& sums) {
  std::string out;
  for (const unsigned char c : sums) {
    constexpr char digits[] = "0123456789abcdef";
    out += digits[c >> 4];
    out += digits[c & 15];
  }
  return out;
}

constexpr std::size_t piece = piece_size;

TEST(Sums, AreTheSha256OfEachPiece) {
  EXPECT_EQ(hex(sums_of("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const auto file = noise(piece + 7);
  EXPECT_EQ(sums_of(file), sums_of(file.substr(0, piece)) + sums_of(file.substr(piece)));
}

TEST(SumsHash, GoesOnAfterItWasAsked) {
  Hash hash;
  hash.add(bytes_of("ab"));
  const auto before = hash.so_far();
  hash.add(bytes_of("c"));
  const auto after = hash.so_far();
  EXPECT_NE(before, after);
  Hash other;
  other.add(bytes_of("abc"));
  EXPECT_EQ(after, other.finish());
  EXPECT_EQ(after, hash.finish());
}

TEST(Sums, HaveASizeThatFollowsFromTheFiles) {
  for (const std::size_t length :
       {std::size_t{0}, std::size_t{1}, piece - 1, piece, piece + 1, 2 * piece})
    EXPECT_EQ(sums_of(std::string(length, 'x')).size(), size(length)) << length;
  EXPECT_EQ(size(0), 0U);
  EXPECT_EQ(size(std::uint64_t{1} << 50), std::uint64_t{1} << 33);
}

TEST(SumsCheck, NamesThePiecesThatAreNotWhatTheyWere) {
  auto file = noise(4 * piece + 9);
  const auto sums = sums_of(file);
  for (const std::size_t at : {piece, 2 * piece - 1, 4 * piece + 8})
    file[at] = static_cast<char>(file[at] ^ 1);
  Check check{sums};
  for (std::size_t at = 0; at < file.size(); at += 70'000) check.add(bytes_of(file, at, 70'000));
  check.finish();
  EXPECT_EQ(check.wrong(), (std::vector<std::uint64_t>{1, 4}));
}

TEST(SumsCheck, TakesAFileThatIsLongerThanItsSumsForWrong) {
  const auto file = noise(piece);
  Check check{sums_of(file)};
  check.add(bytes_of(file + "more"));
  check.finish();
  EXPECT_EQ(check.wrong(), std::vector<std::uint64_t>{1});
}

TEST(SumsTable, KnowsWhatWasReadFromBeginToEnd) {
  const auto file = noise(3 * piece + 100);
  Table table{file.size()};
  EXPECT_FALSE(table.all());
  for (std::size_t at = 0; at < file.size(); at += 300'000)
    table.saw(at, bytes_of(file, at, 300'000));
  EXPECT_EQ(table.all(), sums_of(file));
}

TEST(SumsTable, DoesNotGuessWhatWasSkipped) {
  const auto file = noise(2 * piece);
  Table table{file.size()};
  table.saw(0, bytes_of(file, 0, 1000));
  table.saw(1001, bytes_of(file, 1001, 2 * piece));
  EXPECT_FALSE(table.find(0));
  EXPECT_TRUE(table.find(1));
  EXPECT_FALSE(table.all());
  table.saw(900, bytes_of(file, 900, 200));  // what was missing, and what is around it
  table.saw(1000, bytes_of(file, 1000, piece));
  EXPECT_EQ(table.all(), sums_of(file));
}

TEST(SumsTable, IsNotConfusedByManyReaders) {
  const auto file = noise(2 * piece + 5);
  Table table{file.size()};
  const auto read = [&](unsigned seed) {
    std::mt19937 random{seed};
    for (int i = 0; i < 50; ++i) {
      const auto at = random() % file.size();
      table.saw(at, bytes_of(file, at, random() % 100'000));
    }
    for (std::size_t at = 0, n; at < file.size(); at += n) {
      n = 1 + random() % 200'000;
      table.saw(at, bytes_of(file, at, n));
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned seed = 1; seed <= 4; ++seed) threads.emplace_back(read, seed);
  }
  EXPECT_EQ(table.all(), sums_of(file));
}

TEST(SumsTable, FollowsOnlySoManyPiecesAtATime) {
  const auto file = noise(10 * piece);
  Table table{file.size()};
  for (std::size_t at = 0; at < file.size(); at += piece) table.saw(at, bytes_of(file, at, 1));
  for (std::size_t at = 0; at < file.size(); at += piece)
    table.saw(at + 1, bytes_of(file, at + 1, piece - 1));
  EXPECT_FALSE(table.find(0));
  EXPECT_TRUE(table.find(9));
}

}  // namespace
}  // namespace sums
