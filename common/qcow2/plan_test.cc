// SPDX-License-Identifier: Apache-2.0
#include "common/qcow2/plan.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include "common/error.h"
#include "common/qcow2/test_disks.h"

namespace qcow2 {
namespace {

using namespace testing;

constexpr std::uint64_t gib = std::uint64_t{1} << 30;
constexpr std::uint64_t tib = std::uint64_t{1} << 40;

std::vector<std::byte> metadata(const Plan& plan) {
  std::vector<std::byte> bytes;
  write_metadata(plan, [&](auto part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
  return bytes;
}

// Any part of the metadata is the same as in the whole.
void expect_random_access(const Plan& plan, Random& random) {
  const auto whole = metadata(plan);
  ASSERT_EQ(whole.size(), plan.metadata_size());
  for (int i = 0; i < 50; ++i) {
    const auto offset = between(random, 0, whole.size());
    const auto length =
        between(random, 0, std::min<std::uint64_t>(whole.size() - offset, 1ull << (1 + i % 18)));
    std::vector<std::byte> part(length);
    plan.read_metadata(offset, part);
    ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<long>(offset)))
        << offset << "+" << length;
  }
}

// The bytes of a disk as qemu reads the file are those of the disk.
void expect_good_file(const Disk& disk) {
  const TempDir dir;
  write_qcow2(dir.path() / "a.qcow2", disk);
  write_raw(dir.path() / "a.raw", disk);
  expect_clean(dir.path() / "a.qcow2");
  expect_same(dir.path() / "a.qcow2", "qcow2", dir.path() / "a.raw", "raw");
}

TEST(Plan, KnowsQcow2AsQemuDoes) {
  Random random{20};
  for (int i = 0; i < scaled(12); ++i) {
    SCOPED_TRACE(i);
    Disk disk{.size = random_size(random, 12 << 20),
              .seed = random(),
              .cluster = i % 2 == 0 ? cluster_size : small_cluster_size};
    disk.extents = random_extents(random, disk.size);
    expect_good_file(disk);
    expect_random_access(disk.plan(), random);
  }
}

TEST(Plan, ManyTablesAndRefcountBlocks) {
  // 2.2 GiB of data wants two refcount blocks; written sparsely, so that no disk is filled.
  const Extents extents{{3 * cluster_size, 2 * gib + 200 * cluster_size, Content::data},
                        {5 * gib, gib, Content::zero},
                        {9 * gib + 512, 512, Content::data}};
  const Plan plan{10 * gib, extents};
  const TempDir dir;
  const Fd fd = open_file(dir.path() / "a", O_WRONLY | O_CREAT);
  write_metadata(plan, to_file(fd, "a"));
  ASSERT_EQ(ftruncate(fd.get(), static_cast<off_t>(plan.file_size())), 0);
  expect_clean(dir.path() / "a");
  EXPECT_EQ(plan.data_clusters(), 32768 + 200 + 1);
  EXPECT_EQ(plan.zero_clusters(), gib / cluster_size);
}

TEST(Plan, RefcountBlocksCountThemselves) {
  // Around the sizes where one more refcount block is needed for itself.
  const auto expect_clean_around = [](std::uint64_t clusters, std::uint64_t cluster) {
    for (std::uint64_t data = clusters - 8; data < clusters + 8; ++data) {
      SCOPED_TRACE(data);
      const Plan plan{4 * gib, {{0, data * cluster, Content::data}}, cluster};
      const TempDir dir;
      const Fd fd = open_file(dir.path() / "a", O_WRONLY | O_CREAT);
      write_metadata(plan, to_file(fd, "a"));
      ASSERT_EQ(ftruncate(fd.get(), static_cast<off_t>(plan.file_size())), 0);
      expect_clean(dir.path() / "a");
    }
  };
  expect_clean_around(32768, cluster_size);
  expect_clean_around(2048, small_cluster_size);
}

TEST(Plan, SmallClustersWhereLargeOnesHadMuchThatHasNotChanged) {
  Extents scattered, together;
  for (std::uint64_t i = 0; i < 100; ++i) {
    scattered.push_back({i * 3 * cluster_size + 8192, 4096, Content::data});
    together.push_back({i * 3 * cluster_size, cluster_size - 2048, Content::data});
  }
  const Plan small = Plan::of_exact(gib, scattered);
  EXPECT_EQ(small.cluster(), small_cluster_size);
  EXPECT_EQ(small.extents(), scattered);
  EXPECT_EQ(small.data_bytes(), 100 * 4096);
  EXPECT_EQ(Plan::of_exact(gib, together).cluster(), cluster_size);
  EXPECT_EQ(Plan::of_exact(gib, {}).data_bytes(), 0);
  // One sector of a disk of which small clusters alone need 4 MiB for the first table.
  EXPECT_EQ(Plan::of_exact(tib, {{0, 512, Content::data}}).cluster(), cluster_size);
  EXPECT_EQ(Plan::of_exact(8 * tib + 512, scattered).cluster(), cluster_size);
}

TEST(Plan, LargestDiskWithSmallClusters) {
  const auto size = largest_disk(small_cluster_size);
  const TempDir dir;
  write_qcow2(
      dir.path() / "a",
      {.size = size, .extents = {{size - 512, 512, Content::data}}, .cluster = small_cluster_size});
  expect_clean(dir.path() / "a");
  EXPECT_THROW(Plan(size + 512, {}, small_cluster_size), Error);
}

TEST(Plan, EmptyDisks) {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{512}, cluster_size, tib}) {
    SCOPED_TRACE(size);
    EXPECT_EQ(Plan(size, {}).data_clusters(), 0);
    const TempDir dir;
    write_qcow2(dir.path() / "a", {.size = size});
    expect_clean(dir.path() / "a");
    const auto info =
        Command{"qemu-img", "info", "--output=json", (dir.path() / "a").string()}.output();
    EXPECT_NE(info.find("\"virtual-size\": " + std::to_string(size) + ","), info.npos) << info;
  }
}

TEST(Plan, FullDisk) {
  for (const std::uint64_t size : {std::uint64_t{8 << 20}, std::uint64_t{(8 << 20) + 4608}})
    expect_good_file({.size = size, .extents = {{0, size, Content::data}}});
}

// The disk as qemu itself writes it, for sizes that no raw file may have.
void write_by_qemu(const std::filesystem::path& path, const Disk& disk) {
  Command{"qemu-img", "create", "-q", "-f", "qcow2", path.string(), std::to_string(disk.size)}
      .output();
  Command write{"qemu-io", "-f", "qcow2", path.string()};
  for (const Extent& extent : disk.extents) {
    if (extent.content != Content::data) continue;
    const auto part = path.string() + "." + std::to_string(extent.offset);
    std::vector<std::byte> bytes(extent.length);
    disk.read(extent.offset, bytes);
    to_file(open_file(part, O_WRONLY | O_CREAT), part)(bytes);
    write.arg("-c").arg("write -s " + part + " " + std::to_string(extent.offset) + " " +
                        std::to_string(extent.length));
  }
  const auto text = write.output();
  ASSERT_EQ(text.find("rror"), text.npos) << text;
}

TEST(Plan, SparseDiskOf16TiB) {
  Disk disk{.size = 16 * tib};
  for (std::uint64_t i = 0; i < 32; ++i)
    disk.extents.push_back({i * 512 * gib + i * 70000, 40000 * (i % 3 + 1),
                            i % 4 == 3 ? Content::zero : Content::data});
  disk.extents.push_back({16 * tib - 512, 512, Content::data});
  const TempDir dir;
  write_qcow2(dir.path() / "ours", disk);
  write_by_qemu(dir.path() / "theirs", disk);
  expect_clean(dir.path() / "ours");
  expect_same(dir.path() / "ours", "qcow2", dir.path() / "theirs", "qcow2");
  Random random{16};
  expect_random_access(disk.plan(), random);
}

TEST(Plan, WholeIncrementOf16TiBOfZeros) {
  const Plan plan{16 * tib, {{0, 16 * tib, Content::zero}}};
  EXPECT_EQ(plan.zero_clusters(), 16 * tib / cluster_size);
  EXPECT_GT(plan.metadata_size(), 2 * gib);
  EXPECT_EQ(plan.metadata_size(), plan.file_size());
  std::vector<std::byte> last(16);
  plan.read_metadata(plan.metadata_size() - last.size(), last);
  EXPECT_EQ(last[7], std::byte{1});
  EXPECT_EQ(last[15], std::byte{1});
}

TEST(Plan, LargestDisk) {
  const Plan plan{max_virtual_size, {{0, max_virtual_size, Content::data}}};
  const auto place = plan.place(plan.file_size() - 1);
  EXPECT_EQ(place.guest_offset, max_virtual_size - 1);
  EXPECT_EQ(place.length, 1);
  std::vector<std::byte> first(cluster_size);
  plan.read_metadata(0, first);
}

TEST(Plan, MemoryGrowsWithTheExtentsOnly) {
  constexpr std::uint64_t count = 1'000'000;
  Extents extents;
  extents.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i)
    extents.push_back(
        {i * 5 * cluster_size, 2 * cluster_size, i % 3 == 0 ? Content::zero : Content::data});
  const auto used = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
  const auto before = used();
  const Plan plan{16 * tib, extents};
  EXPECT_LE(used() - before, count * 120);  // zero under a sanitizer's allocator
  Random random{1};
  std::vector<std::byte> page(cluster_size);
  for (int i = 0; i < 1000; ++i)
    plan.read_metadata(between(random, 0, plan.metadata_size() - page.size()), page);
  EXPECT_LE(used() - before, count * 120);
  EXPECT_EQ(plan.extents().size(), count);
}

TEST(Plan, MillionExtentsMakeACleanFile) {
  constexpr std::uint64_t count = 1'000'000;
  Extents extents;
  for (std::uint64_t i = 0; i < count; ++i)
    extents.push_back({i * 3 * cluster_size, cluster_size, i % 2 ? Content::zero : Content::data});
  const Plan plan{count * 3 * cluster_size, extents};
  const TempDir dir;
  const Fd fd = open_file(dir.path() / "a", O_WRONLY | O_CREAT);
  write_metadata(plan, to_file(fd, "a"));
  ASSERT_EQ(ftruncate(fd.get(), static_cast<off_t>(plan.file_size())), 0);
  expect_clean(dir.path() / "a");
}

TEST(Plan, JoinsAndAlignsExtents) {
  const std::uint64_t c = cluster_size;
  const Plan plan{10 * c + 512,
                  {{0, c, Content::data},
                   {c, 100, Content::data},      // with what is absent: data
                   {2 * c, 512, Content::zero},  // zero and absent: data
                   {3 * c, 512, Content::zero},  // zero in two parts: zero
                   {3 * c + 512, c - 512, Content::zero},
                   {4 * c, c, Content::absent},
                   {5 * c, 0, Content::data},
                   {6 * c, c + 512, Content::zero},  // the second: data, because of what follows
                   {7 * c + 512, 512, Content::data},
                   {10 * c, 512, Content::zero}}};  // the last cluster is 512 bytes: zero
  const Extents expected{{0, 3 * c, Content::data},
                         {3 * c, c, Content::zero},
                         {6 * c, c, Content::zero},
                         {7 * c, c, Content::data},
                         {10 * c, 512, Content::zero}};
  EXPECT_EQ(plan.extents(), expected);
}

TEST(Plan, PlacesEveryDataByte) {
  const std::uint64_t c = cluster_size;
  const Plan plan{9 * c + 512,
                  {{c, 2 * c, Content::data},
                   {4 * c, c, Content::zero},
                   {6 * c, 1, Content::data},
                   {9 * c, 512, Content::data}}};
  const std::uint64_t start = plan.metadata_size();
  EXPECT_EQ(plan.place(start).guest_offset, c);
  EXPECT_EQ(plan.place(start).length, 2 * c);
  EXPECT_EQ(plan.place(start + c + 5).guest_offset, 2 * c + 5);
  EXPECT_EQ(plan.place(start + c + 5).length, c - 5);
  EXPECT_EQ(plan.place(start + 2 * c).guest_offset, 6 * c);
  EXPECT_EQ(plan.place(start + 3 * c + 7).guest_offset, 9 * c + 7);
  EXPECT_EQ(plan.place(start + 3 * c + 7).length, c - 7);
  EXPECT_THROW(plan.place(start - 1), std::logic_error);
  EXPECT_THROW(plan.place(start + 4 * c), std::logic_error);
}

TEST(Plan, RefusesBadExtents) {
  const std::uint64_t c = cluster_size;
  const auto refused = [](std::uint64_t size, const Extents& extents) {
    EXPECT_THROW(Plan(size, extents), Error);
  };
  refused(c, {{0, c + 1, Content::data}});
  refused(c, {{c + 512, 0, Content::data}});
  refused(c, {{512, ~std::uint64_t{0}, Content::data}});
  refused(2 * c, {{0, c, Content::data}, {c - 1, 1, Content::zero}});
  refused(2 * c, {{c, c, Content::data}, {0, c, Content::data}});
  refused(1000, {});
  refused(max_virtual_size + 512, {});
  refused(~std::uint64_t{0}, {});
}

TEST(Plan, RefusesToReadOutsideOfTheMetadata) {
  const Plan plan{cluster_size, {{0, cluster_size, Content::data}}};
  std::vector<std::byte> two(2);
  EXPECT_THROW(plan.read_metadata(plan.metadata_size() - 1, two), std::logic_error);
  EXPECT_THROW(plan.read_metadata(plan.metadata_size() + 1, {}), std::logic_error);
}

}  // namespace
}  // namespace qcow2
