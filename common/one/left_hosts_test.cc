// SPDX-License-Identifier: Apache-2.0
#include "common/one/left_hosts.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "common/file.h"
#include "common/test_env.h"

TEST(LeftHosts, KeepEachPlaceUntilItIsStruckOut) {
  const TempDir dir;
  const ScopedEnv var{"VMVAULT_VAR", dir.path().string()};
  const LeftPlace host{.host = "kvm1", .bridge = false, .dir = "/vms/7"};
  const LeftPlace bridge{.host = "kvm1", .bridge = true, .dir = "/v m/7/bridge"};
  EXPECT_TRUE(left_places(7).empty());
  strike_out_place(7, host);
  for (const auto& place : {host, bridge, host}) enter_place(7, place);
  EXPECT_EQ(left_places(7), (std::vector{host, bridge}));
  EXPECT_TRUE(left_places(8).empty());
  strike_out_place(7, host);
  EXPECT_EQ(left_places(7), std::vector{bridge});
  strike_out_place(7, bridge);
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "hosts/7"));
}

TEST(LeftHosts, ReadWhatAnOlderVersionHasWritten) {
  const TempDir dir;
  const ScopedEnv var{"VMVAULT_VAR", dir.path().string()};
  enter_place(8, {.host = "kvm1", .bridge = false, .dir = "/vms/8"});
  write_file(dir.path() / "hosts/7", "kvm1");
  const LeftPlace old{.host = "kvm1", .bridge = false, .dir = {}};
  EXPECT_EQ(left_places(7), std::vector{old});
  strike_out_place(7, old);
  EXPECT_TRUE(left_places(7).empty());
}

TEST(LeftHosts, OnesThatDoNotAnswerKeepNobodyElseFromBeingAsked) {
  const TempDir dir;
  const ScopedEnv var{"VMVAULT_VAR", dir.path().string()};
  const ScopedEnv path{"PATH", dir.path().string() + ":" + getenv("PATH")};
  write_file(dir.path() / "ssh", "#!/bin/sh\ncase $* in *kvm9*) exit 0;; *) exit 255;; esac\n",
             0755);
  const LeftPlace last{.host = "kvm9", .bridge = false, .dir = "/vms/9"};
  for (int vm = 1; vm < 9; ++vm)
    enter_place(vm, {.host = "kvm" + std::to_string(vm), .bridge = vm > 4, .dir = "/vms"});
  enter_place(9, last);
  for (int times = 0; times < 100 && !left_places(9).empty(); ++times) recover_left_hosts();
  EXPECT_TRUE(left_places(9).empty());
  EXPECT_EQ(left_places(1).size(), 1U);
}
