// SPDX-License-Identifier: Apache-2.0
#include "common/rbd/diff.h"

#include <gtest/gtest.h>

#include <cstring>

namespace rbd {
namespace {

using qcow2::Behind;
using qcow2::Content;

std::string number(std::uint64_t value, int bytes = 8) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}
std::string text(const std::string& value) { return number(value.size(), 4) + value; }

// Records of version 1.
std::string size(std::uint64_t value) { return "s" + number(value); }
std::string data(std::uint64_t offset, const std::string& bytes) {
  return "w" + number(offset) + number(bytes.size()) + bytes;
}
std::string zero(std::uint64_t offset, std::uint64_t length) {
  return "z" + number(offset) + number(length);
}
std::string v1(const std::string& records) { return "rbd diff v1\n" + records + "e"; }

// As Ceph 16.2 writes them: the flag of protection has a length of eight, and one byte.
std::string v2(const std::string& to, std::uint64_t bytes, const std::string& records) {
  const auto tag = to.empty() ? "" : "t" + number(to.size() + 4) + text(to);
  const auto flag = to.empty() ? "" : "p" + number(8) + std::string(1, '\1');
  return "rbd diff v2\n" + tag + flag + "s" + number(8) + number(bytes) + records + "e";
}
std::string data2(std::uint64_t offset, const std::string& bytes) {
  return "w" + number(16 + bytes.size()) + number(offset) + number(bytes.size()) + bytes;
}
std::string image2(const std::vector<std::string>& diffs) {
  std::string out = "rbd image v2\nO" + number(8) + number(22) + "T" + number(8) + number(61) +
                    "U" + number(8) + number(0) + "E" + "rbd image diffs v2\n" +
                    number(diffs.size());
  for (const auto& one : diffs) out += one;
  return out;
}

std::vector<qcow2::Layer> opened(const std::string& file, Behind behind = Behind::nothing) {
  const auto read = [file](std::uint64_t offset, std::span<std::byte> out) {
    const auto n = offset > file.size() ? 0 : std::min(out.size(), file.size() - offset);
    std::memcpy(out.data(), file.data() + offset, n);
    return n;
  };
  return layers(read, file.size(), "x", behind);
}

std::string bytes_of(const qcow2::Layer& layer, std::uint64_t offset, std::size_t length) {
  std::string out(length, '\0');
  layer.read(offset, std::as_writable_bytes(std::span{out}));
  return out;
}

}  // namespace

TEST(RbdDiff, OfVersion1) {
  const auto file = v1("f" + text("a") + "t" + text("b") + size(100) + data(10, "hello") +
                       zero(20, 30) + data(50, "you"));
  const auto found = opened(file, Behind::anything);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].virtual_size, 100U);
  EXPECT_EQ(
      found[0].extents,
      (qcow2::Extents{{10, 5, Content::data}, {20, 30, Content::zero}, {50, 3, Content::data}}));
  EXPECT_EQ(bytes_of(found[0], 11, 3), "ell");
  EXPECT_EQ(bytes_of(found[0], 50, 3), "you");
}

TEST(RbdDiff, OfAWholeImageEndsWithTheSnapshotOfABackup) {
  const auto file = image2({v2("mine", 100, data2(0, "a")), v2("one_backup_0", 200, data2(5, "b")),
                            v2("", 300, data2(7, "later"))});
  const auto found = opened(file);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[1].virtual_size, 200U);
  EXPECT_EQ(bytes_of(found[1], 5, 1), "b");
  EXPECT_EQ(opened(image2({v2("", 300, data2(7, "x"))})).size(), 1U);
}

TEST(RbdDiff, OfADifferenceIsNotAllOfADisk) {
  EXPECT_THROW(opened(v1("f" + text("a") + size(100))), Error);
  EXPECT_NO_THROW(opened(v1(size(100))));
}

TEST(RbdDiff, KnowsItsFiles) {
  const auto is = [](const std::string& begin) { return is_diff(std::as_bytes(std::span{begin})); };
  EXPECT_TRUE(is("rbd diff v1\n"));
  EXPECT_TRUE(is("rbd diff v2\n"));
  EXPECT_TRUE(is("rbd image v2"));
  EXPECT_FALSE(is("rbd diff v3\n"));
  EXPECT_FALSE(is("QFI\xfb"));
  EXPECT_FALSE(is(""));
}

TEST(RbdDiff, RefusesWhatIsCutShortAtAnyByte) {
  for (const auto& file : {v1(size(100) + data(10, "hello") + zero(20, 30)),
                           image2({v2("one_backup_0", 100, data2(0, "a"))})}) {
    EXPECT_NO_THROW(opened(file));
    for (std::size_t n = 0; n < file.size(); ++n)
      EXPECT_THROW(opened(file.substr(0, n)), Error) << n;
    EXPECT_THROW(opened(file + "x"), Error);
  }
}

TEST(RbdDiff, RefusesWhatNobodyWrites) {
  constexpr auto most = ~std::uint64_t{0};
  for (const auto& records :
       {std::string{}, size(most), size(100) + data(99, "hello"), size(100) + zero(101, 0),
        size(100) + zero(most, 2), size(100) + zero(2, most),
        size(100) + data(10, "x") + data(10, "y"), size(100) + zero(20, 1) + zero(10, 1),
        size(100) + "q", "f" + number(most, 4) + size(100),
        size(100) + "w" + number(0) + number(90)})
    EXPECT_THROW(opened(v1(records), Behind::anything), Error) << records;
  EXPECT_THROW(opened("rbd diff v2\ns" + number(8) + number(100) + "w" + number(17) + number(0) +
                      number(5) + "helloe"),
               Error);
  EXPECT_THROW(opened("rbd image v2\nErbd image diffs v2\n" + number(0)), Error);
  EXPECT_THROW(opened("rbd image v2\nErbd image diffs v2\n" + number(most)), Error);
  EXPECT_THROW(opened("rbd image v2\nO" + number(most) + "Erbd image diffs v2\n"), Error);
}

TEST(RbdDiff, IsReadAsItIsWritten) {
  std::string file;
  DiffWriter out{[&](std::span<const std::byte> bytes) {
                   file.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                 },
                 4096};
  out.data(512, std::as_bytes(std::span{std::string_view{"hello"}}));
  out.finish();
  EXPECT_EQ(file, v1(size(4096) + data(512, "hello")));
}

}  // namespace rbd
