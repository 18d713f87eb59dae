// SPDX-License-Identifier: Apache-2.0
#include "common/one/capture_result.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

TEST(Result, ReadsWhatACaptureSays) {
  const auto result = parse_result(
      R"({"version":1,"vm":1000000,"increment":1,"parent":0,"live":true,"mode":"INCREMENT",
          "freeze":{"asked":"AGENT","consistent":true,"why":"","seconds":0.21},
          "disks":[{"id":0,"target":"vda","file":"disk.0.1","format":"qcow2","kind":"increment",
                    "why":"","virtual_size":1048576,"dirty_bytes":65536,"read_bytes":65536,
                    "file_size":200},
                   {"id":1,"target":"vdb","file":"disk.1.1","kind":"whole","why":"it is raw",
                    "file_size":100}],
          "documents":[{"what":"NVRAM","file":"nvram.fd","why":"","size":540672},
                       {"what":"TPM state","file":"","why":"permission denied","size":0}]})");
  EXPECT_EQ(result.vm, 1'000'000);
  EXPECT_EQ(result.increment, 1);
  EXPECT_TRUE(result.live);
  EXPECT_EQ(result.freeze, "AGENT");
  EXPECT_TRUE(result.consistent);
  EXPECT_EQ(result.bytes(), 300u);
  EXPECT_FALSE(result.all_whole());
  ASSERT_EQ(result.disks.size(), 2u);
  EXPECT_EQ(result.disks[0].dirty_bytes, 65536u);
  EXPECT_EQ(result.disks[1].why, "it is raw");
  ASSERT_TRUE(result.document("NVRAM"));
  EXPECT_EQ(result.document("NVRAM")->size, 540672u);
  EXPECT_EQ(result.document("TPM state")->why, "permission denied");
  EXPECT_FALSE(result.document("disks"));
}

TEST(Result, KnowsWhatWasReadThroughTheGuestsQemu) {
  const auto as_seen = [](const std::string& live, const std::string& format) {
    const auto result = parse_result(R"({"vm":1,"increment":0,"live":)" + live +
                                     R"(,"disks":[{"id":0,"target":"vda","file":"f",)" + format +
                                     R"("kind":"full"}]})");
    return result.is_as_seen(result.disks[0]);
  };
  EXPECT_TRUE(as_seen("true", R"("format":"raw",)"));
  EXPECT_TRUE(as_seen("true", ""));
  EXPECT_FALSE(as_seen("true", R"("format":"lvm",)"));
  EXPECT_FALSE(as_seen("true", R"("format":"rbd",)"));
  EXPECT_FALSE(as_seen("false", R"("format":"raw",)"));
}

TEST(Result, RefusesWhatIsNone) {
  for (const char* text : {"", "{", "[]", "{}", R"({"vm":1,"increment":"x","disks":[]})",
                           R"({"vm":1,"increment":0,"disks":[{"id":0}]})",
                           R"({"vm":1,"increment":0,"disks":[],"documents":[{"what":"x"}]})"})
    EXPECT_THROW(parse_result(text), BadRequest) << text;
}

}  // namespace
