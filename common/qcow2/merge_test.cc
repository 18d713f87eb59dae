// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <malloc.h>

#include "common/error.h"
#include "common/qcow2/stream.h"
#include "common/qcow2/test_disks.h"

namespace qcow2 {
namespace {

using namespace testing;

constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint64_t tib = std::uint64_t{1} << 40;

using Chain = std::vector<Disk>;  // oldest first

Merge merge(const Chain& chain) {
  std::vector<StreamReader> files;
  for (const Disk& disk : chain)
    files.emplace_back(from_disk(disk), "file " + std::to_string(files.size()));
  return Merge{std::move(files)};
}

// As qemu reads a chain of the same files.
void expect_as_qemu(const Chain& chain) {
  const TempDir dir;
  std::string last;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const std::string file = dir.path() / std::to_string(i);
    write_qcow2(file, chain[i]);
    if (i != 0)
      Command{"qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-F", "qcow2", "-b", last, file}
          .output();
    last = file;
  }
  Merge merged = merge(chain);
  EXPECT_EQ(merged.plan().zero_clusters(), 0);
  const auto ours = dir.path() / "merged";
  {
    const Fd fd = open_file(ours, O_WRONLY | O_CREAT);
    merged.write(to_file(fd, ours));
  }
  EXPECT_EQ(std::filesystem::file_size(ours), merged.plan().file_size());
  expect_clean(ours);
  const auto theirs = (dir.path() / "converted").string();
  Command{"qemu-img", "convert", "-f", "qcow2", "-O", "raw", last, theirs}.output();
  expect_same(ours, "qcow2", theirs, "raw");
}

TEST(Merge, IsReadInAnyPieces) {
  Random random{5};
  const Chain chain{{.size = 4 * mib, .extents = random_extents(random, 4 * mib), .seed = 1},
                    {.size = 4 * mib, .extents = random_extents(random, 4 * mib), .seed = 2}};
  std::vector<std::byte> whole;
  merge(chain).write([&](auto bytes) { whole.insert(whole.end(), bytes.begin(), bytes.end()); });
  Merge merged = merge(chain);
  ASSERT_EQ(whole.size(), merged.plan().file_size());
  for (std::uint64_t at = 0; at < whole.size();) {
    at += between(random, 0, 3) == 0 ? between(random, 0, 9999) : 0;  // some are left out
    if (at >= whole.size()) break;
    std::vector<std::byte> part(std::min(between(random, 1, 200000), whole.size() - at));
    merged.read(at, part);
    ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<long>(at))) << at;
    at += part.size();
  }
}

TEST(Merge, KnowsAtTheLastByteThatAStreamGoesOn) {
  const Disk disk{.size = mib, .extents = {{0, mib, Content::data}}};
  std::vector<StreamReader> files;
  files.emplace_back(
      [source = from_disk(disk), ended = false](std::span<std::byte> out) mutable -> std::size_t {
        if (const auto count = source(out)) return count;
        return std::exchange(ended, true) ? 0 : 1;
      },
      "too long");
  Merge merged{std::move(files)};
  std::vector<std::byte> part(merged.plan().file_size() - 1);
  merged.read(0, part);
  EXPECT_THROW(merged.read(part.size(), std::span{part}.first(1)), Error);
}

TEST(Merge, IsWhatAReaderOfTheChainSees) {
  Random random{3};
  for (int i = 0; i < scaled(15); ++i) {
    SCOPED_TRACE(i);
    Chain chain(static_cast<std::size_t>(1 + i % 5));
    const std::uint64_t size = random_size(random, 8 * mib);
    for (Disk& disk : chain) {
      disk.size = i % 3 == 0 ? random_size(random, 8 * mib) : size;
      disk.extents = random_extents(random, disk.size);
      disk.seed = random();
      disk.cluster = random_cluster(random);
    }
    expect_as_qemu(chain);
  }
}

TEST(Merge, ZerosOverDataLeaveNothing) {
  const Chain chain{{.size = 8 * mib, .extents = {{0, 8 * mib, Content::data}}},
                    {.size = 8 * mib, .extents = {{mib, 6 * mib, Content::zero}}},
                    {.size = 8 * mib, .extents = {{3 * mib, mib, Content::data}}, .seed = 2}};
  EXPECT_EQ(merge(chain).plan().data_clusters(), 3 * mib / cluster_size);
  expect_as_qemu(chain);
}

TEST(Merge, WhatAShrunkDiskLostStaysLost) {
  // Not at a cluster's end: the rest of that cluster reads as zeros.
  const Chain chain{
      {.size = 8 * mib, .extents = {{0, 8 * mib, Content::data}}},
      {.size = 3 * mib + 512, .extents = {{0, mib, Content::data}}, .seed = 2},
      {.size = 9 * mib + 1024, .extents = {{7 * mib, 512, Content::data}}, .seed = 3}};
  expect_as_qemu(chain);
  EXPECT_EQ(merge(chain).plan().data_clusters(), 3 * mib / cluster_size + 2);
}

TEST(Merge, OfOneFileDropsItsZeros) {
  const Chain chain{
      {.size = mib, .extents = {{0, mib / 2, Content::zero}, {mib / 2, mib / 4, Content::data}}}};
  EXPECT_EQ(merge(chain).plan().extents(), (Extents{{mib / 2, mib / 4, Content::data}}));
  expect_as_qemu(chain);
}

TEST(Merge, AFileCutShortIsAnError) {
  const Chain chain{{.size = 8 * mib, .extents = {{0, 8 * mib, Content::data}}},
                    {.size = 8 * mib, .extents = {{mib, 6 * mib, Content::data}}, .seed = 2}};
  for (std::size_t broken = 0; broken < chain.size(); ++broken) {
    std::vector<StreamReader> files;
    for (std::size_t i = 0; i < chain.size(); ++i) {
      auto bytes = all_of(from_disk(chain[i]));
      if (i == broken) bytes.pop_back();
      files.emplace_back(from_bytes(std::move(bytes)), "file " + std::to_string(i));
    }
    Merge merged{std::move(files)};
    try {
      merged.write([](auto) {});
      ADD_FAILURE() << "no error";
    } catch (const Error& e) {
      EXPECT_NE(std::string{e.what()}.find("'file " + std::to_string(broken) + "'"),
                std::string::npos)
          << e.what();
    }
  }
}

TEST(Merge, LargeDisksCostWhatTheirExtentsCost) {
  // A TiB of zeros over a million extents of another.
  Disk old{.size = tib};
  for (std::uint64_t i = 0; i < 1'000'000; ++i)
    old.extents.push_back({i * 5 * cluster_size, 2 * cluster_size, Content::zero});
  old.extents.push_back({tib - cluster_size, cluster_size, Content::data});
  const Disk zeros{.size = tib, .extents = {{0, tib - 512, Content::zero}}};
  const auto used = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
  const auto before = used();
  const Merge merged = merge({old, zeros});
  EXPECT_LT(used() - std::min(before, used()), std::size_t{200} << 20);
  // The last cluster is not all zeros, so the newer file has it.
  EXPECT_EQ(merged.plan().data_clusters(), 1);
}

}  // namespace
}  // namespace qcow2
