// SPDX-License-Identifier: Apache-2.0
#include "common/one/flat_result.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace {

TEST(FlatResult, SaysThatTheDisksHoldEverything) {
  const auto text = flat_result(
      R"({"vm":12,"increment":3,"parent":2,"live":true,"freeze":{"asked":"AGENT"},"disks":[
          {"id":0,"file":"disk.0.3","kind":"increment","why":"","virtual_size":4096,"file_size":9},
          {"id":2,"file":"disk.2.3","kind":"whole","why":"raw","virtual_size":512,"file_size":8}]})",
      {{0, 100}, {2, 200}});
  const auto result = nlohmann::json::parse(text);
  EXPECT_EQ(result.at("parent"), -1);
  EXPECT_EQ(result.at("increment"), 3);
  EXPECT_EQ(result.at("freeze").at("asked"), "AGENT");
  EXPECT_EQ(result.at("disks").at(0).at("kind"), "full");
  EXPECT_EQ(result.at("disks").at(0).at("dirty_bytes"), 4096);
  EXPECT_EQ(result.at("disks").at(1).at("why"), "");
  EXPECT_EQ(result.at("disks").at(1).at("file_size"), 200);
}

TEST(FlatResult, LeavesAloneWhatItDoesNotKnow) {
  EXPECT_EQ(flat_result("rubbish", {{0, 1}}), "rubbish");
  EXPECT_EQ(flat_result("{}", {{0, 1}}), "{}");
  EXPECT_EQ(flat_result("[1]", {{0, 1}}), "[1]");
}

}  // namespace
