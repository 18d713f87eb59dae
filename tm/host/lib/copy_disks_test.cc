// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/copy_disks.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"
#include "common/nbd/test_server.h"
#include "common/sums.h"

namespace {

HostRequest with(Settings settings) {
  HostRequest request;
  request.settings = std::move(settings);
  return request;
}

TEST(Reading, ConnectionsAreDividedAmongTheDisksReadAtATime) {
  EXPECT_EQ(host::Reading::of(with({}), 1).connections, 4);
  EXPECT_EQ(host::Reading::of(with({}), 2).connections, 2);
  const auto many = host::Reading::of(with({}), 9);
  EXPECT_EQ(many.connections, 1);
  EXPECT_EQ(many.parallel, 4);
  const auto one = host::Reading::of(with({{"DISKS_PARALLEL", "1"}}), 9);
  EXPECT_EQ(one.connections, 4);
  EXPECT_EQ(one.parallel, 1);
  EXPECT_EQ(host::Reading::of(with({{"CONNECTIONS", "7"}}), 9).connections, 7);
  for (const std::string bad : {"0", "65", "many"}) {
    EXPECT_THROW(host::Reading::of(with({{"CONNECTIONS", bad}}), 1), BadRequest);
    EXPECT_THROW(host::Reading::of(with({{"DISKS_PARALLEL", bad}}), 1), BadRequest);
  }
}

// The limit of reading keeps each copy at work for longer than it takes to look.
TEST(CopyDisks, NoMoreAtATimeThanAllowed) {
  const TempDir dir;
  const nbd::Export source{.socket = dir.path() / "s", .name = "", .bitmap = {}};
  const auto server = nbd::testing::nbdkit(source, {"pattern", "2M"});
  std::vector<host::CopyDisk> disks(3);
  for (size_t i = 0; i < disks.size(); ++i) {
    disks[i].source = source;
    disks[i].target = dir.path() / ("disk." + std::to_string(i) + ".0");
  }
  const auto plans = host::plan_disks(disks);
  int looks = 0;
  const auto look = [&] {
    ++looks;
    int at_work = 0;
    for (const auto& disk : disks) {
      std::error_code none;
      const auto size = std::filesystem::file_size(disk.target, none);
      if (!none && size < disk.file_size) ++at_work;
    }
    EXPECT_LE(at_work, 1);
  };
  const auto reading =
      host::Reading::of(with({{"DISKS_PARALLEL", "1"}, {"READ_BWLIMIT", "2M"}}), disks.size());
  host::copy_disks(disks, plans, reading, look);
  EXPECT_GT(looks, 0);
  const auto first = read_file(disks[0].target);
  EXPECT_EQ(first.size(), disks[0].file_size);
  EXPECT_TRUE(read_file(disks[1].target) == first && read_file(disks[2].target) == first);
  sums::Check sums{read_file(dir.path() / "sums.2.0")};
  sums.add(std::as_bytes(std::span{first}));
  sums.finish();
  EXPECT_TRUE(sums.wrong().empty());
}

}  // namespace
