// SPDX-License-Identifier: Apache-2.0
#include "common/cgroup.h"

#include <gtest/gtest.h>

#include "common/file.h"

namespace {

TEST(Cgroup, MountsOfBothVersionsAreFound) {
  const auto mounts = cgroup::parse_mounts(
      "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "40 31 0:37 / /sys/fs/cgroup/systemd rw shared:9 - cgroup cgroup rw,name=systemd\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw shared:10 master:1 - cgroup2 cgroup2 rw\n"
      "nonsense\n");
  EXPECT_EQ(mounts.unified, "/sys/fs/cgroup/unified");
  EXPECT_EQ(mounts.of.at("cpu"), "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(mounts.of.count("memory"), 0U);
  EXPECT_FALSE(cgroup::parse_mounts("").unified);
}

TEST(Cgroup, WhatIsNotThereIsMissing) {
  confine::Confined out;
  const confine::Order order{.group = "backup.0",
                             .limits = {.nice = 1,
                                        .ionice = {},
                                        .cpu_percent = 50,
                                        .memory_mb = {},
                                        .read_iops = 10,
                                        .write_iops = {}},
                             .directory = "/",
                             .outlives = false};
  cgroup::enter({}, order, out);
  EXPECT_FALSE(out.apart);
  EXPECT_EQ(out.missing, (std::vector<std::string>{"CPU_QUOTA", "MAX_RIOPS"}));
}

// As the kernel has it, but for what writing means.
TEST(Cgroup, LimitsAreWrittenAndTakenBack) {
  const TempDir root;
  const auto group = root.path() / "vmvault-backup.7";
  std::filesystem::create_directory(group);
  for (const auto* file : {"cpu.max", "memory.max", "cgroup.procs"}) write_file(group / file, "");
  confine::Order order{.group = "backup.7", .limits = {}, .directory = "/", .outlives = false};
  order.limits.cpu_percent = 150;
  confine::Confined out;
  cgroup::enter({.unified = root.path(), .of = {}}, order, out);
  EXPECT_TRUE(out.missing.empty());
  EXPECT_EQ(read_file(group / "cpu.max"), "150000 100000");
  EXPECT_EQ(read_file(group / "cgroup.procs"), "0");
  write_file(group / "cpu.max", "");
  cgroup::enter({.unified = root.path(), .of = {}},
                {.group = "backup.7", .limits = {}, .directory = "/", .outlives = false}, out);
  EXPECT_EQ(read_file(group / "cpu.max"), "max 100000");
}

TEST(Cgroup, AFileSystemWithoutADeviceHasNoDisk) {
  EXPECT_EQ(cgroup::disk_of("/proc"), std::nullopt);
  EXPECT_EQ(cgroup::disk_of("/nowhere at all"), std::nullopt);
}

}  // namespace
