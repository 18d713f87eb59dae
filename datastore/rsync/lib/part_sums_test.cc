// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/part_sums.h"

#include <gtest/gtest.h>

#include <map>

#include "common/error.h"

namespace rsync {
namespace {

const std::string right(32, 'r'), other(32, 'o');

std::string result(int parent) {
  return R"({"vm":7,"increment":1,"parent":)" + std::to_string(parent) + R"(,"disks":[]})";
}

PartFile part(const Texts& beside) {
  return {.file = "disk.0.1",
          .path = "/7/bbbbbb/disk.0.1",
          .size = 1000,
          .first = false,
          .flat = false,
          .size_of = [beside](const std::string& file) -> std::optional<std::uint64_t> {
            const auto it = beside.find(file);
            if (it == beside.end()) return std::nullopt;
            return it->second.size();
          },
          .read = [beside](const std::string& file, std::size_t) { return beside.at(file); }};
}

PartFile first(const Texts& beside) {
  auto one = part(beside);
  one.first = true;
  return one;
}

TEST(PartSums, AreThoseBesideIt) {
  EXPECT_EQ(sums_of(part({{"sums.0.1", right}}), {}), right);
  EXPECT_EQ(sums_of(part({}), {}), std::nullopt);
  EXPECT_EQ(sums_of(first({{"sums.0.1", right}}), {{"sums.0.2", other}}), right);
}

TEST(PartSums, ThatAreKnownCountMore) {
  EXPECT_EQ(sums_of(part({{"sums.0.1", other}}), {{"sums.0.1", right}}), right);
  EXPECT_EQ(sums_of(part({{"sums.0.1", ""}}), {{"sums.0.1", right}}), right);
  EXPECT_EQ(sums_of(first({}), {{"sums.0.1", right}}), right);
  EXPECT_THROW(sums_of(part({{"sums.0.1", right}}), {{"sums.0.1", right + right}}), Error);
}

TEST(PartSums, ThatAreKnownAreNotOfAMergedFile) {
  auto flat = first({{"sums.0.1", right}});
  flat.flat = true;
  EXPECT_EQ(sums_of(flat, {{"sums.0.1", other}}), right);
  const Texts stock{{"vmvault.json", result(0)}, {"sums.0.1", other}};
  EXPECT_EQ(sums_of(first(stock), {{"sums.0.1", right}}), std::nullopt);
}

TEST(PartSums, OfTheWrongSizeAreAnErrorUnlessStockMayHaveMerged) {
  EXPECT_THROW(sums_of(part({{"sums.0.1", ""}}), {}), Error);
  EXPECT_THROW(sums_of(first({{"sums.0.1", ""}, {"vmvault.json", result(-1)}}), {}), Error);
  EXPECT_THROW(sums_of(first({{"sums.0.1", ""}, {"vmvault.json", ""}}), {}), Error);
  EXPECT_EQ(sums_of(first({{"sums.0.1", ""}, {"vmvault.json", result(0)}}), {}), std::nullopt);
  EXPECT_EQ(sums_of(first({{"sums.0.1", ""}}), {}), std::nullopt);
}

}  // namespace
}  // namespace rsync
