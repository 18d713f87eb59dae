// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/messages.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace restic {
namespace {

TEST(Snapshots, AreReadAsRealOnesAre) {
  const auto all = parse_snapshots(
      R"([{"time":"2026-11-20T09:35:44.741193543Z","tree":"655d","paths":["/b/disk.0.4","/b/vm.xml"],)"
      R"("hostname":"vm","username":"oneadmin","uid":9869,"gid":9869,"tags":["one-2"],)"
      R"("id":"8ad4b4bbd82fe4f18b4f4f8fb9abfde4f3be6926543a3eee7db310e79000339f","short_id":"8ad4b4bb"}])");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].id.starts_with("8ad4b4bbd8"));
  EXPECT_EQ(all[0].paths, (std::vector<std::string>{"/b/disk.0.4", "/b/vm.xml"}));
  EXPECT_EQ(all[0].tags, std::vector<std::string>{"one-2"});
  EXPECT_EQ(all[0].time, 1795167344);
  EXPECT_TRUE(all[0].original.empty());
}

TEST(Snapshots, HaveTheirTimesInAnyZone) {
  const auto time = [](const std::string& text) {
    return parse_snapshots(R"([{"id":"a","paths":[],"time":")" + text + R"("}])")[0].time;
  };
  EXPECT_EQ(time("2026-11-20T09:35:44Z"), 1795167344);
  EXPECT_EQ(time("2026-11-20T11:35:44.5+02:00"), 1795167344);
  EXPECT_EQ(time("2026-11-20T05:05:44.000000001-04:30"), 1795167344);
  for (const auto* text : {"", "now", "2026-11-20T09:35:44", "2026-11-20T09:35:44+2"})
    EXPECT_THROW(time(text), Error) << text;
}

TEST(Snapshots, SayWhichIdTheyHadAtFirst) {
  const auto original = [](const std::string& value) {
    return parse_snapshots(R"([{"id":"a","paths":[],"original":)" + value + "}]")[0].original;
  };
  EXPECT_EQ(original(R"("b")"), "b");
  EXPECT_EQ(original("null"), "");
  EXPECT_EQ(original("7"), "");
}

TEST(Snapshots, MayBeNoneAndWithoutTags) {
  EXPECT_TRUE(parse_snapshots("[]\n").empty());
  EXPECT_TRUE(parse_snapshots("null\n").empty());
  EXPECT_TRUE(parse_snapshots(R"([{"id":"a","paths":[]}])")[0].tags.empty());
}

TEST(Snapshots, RefuseWhatIsNoList) {
  for (const auto* text : {"", "x", "[1]", R"([{"id":7,"paths":[]}])", R"([{"id":"a"}])"})
    EXPECT_THROW(parse_snapshots(text), Error) << text;
}

TEST(Summary, IsFoundAmongTheLines) {
  EXPECT_FALSE(parse_summary(R"({"message_type":"status","percent_done":0})"));
  EXPECT_FALSE(parse_summary("no json"));
  EXPECT_FALSE(parse_summary("[1]"));
  // Nothing was stored.
  EXPECT_FALSE(parse_summary(
      R"({"message_type":"summary","total_files_processed":2,"total_bytes_processed":5})"));
  const auto summary =
      parse_summary(R"({"message_type":"summary","files_new":2,"total_files_processed":2,)"
                    R"("total_bytes_processed":3220176896,"snapshot_id":"f84524fe"})");
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->snapshot_id, "f84524fe");
  EXPECT_EQ(summary->files, 2U);
  EXPECT_EQ(summary->bytes, 3220176896U);
}

TEST(Status, TellsTheBytesDone) {
  EXPECT_EQ(parse_status(R"({"message_type":"status","bytes_done":77,"current_files":["/x"]})")
                ->bytes_done,
            77U);
  EXPECT_EQ(parse_status(R"({"message_type":"status","percent_done":0})")->bytes_done, 0U);
  EXPECT_FALSE(parse_status(R"({"message_type":"status","bytes_done":"many"})"));
}

TEST(Size, IsThatOfThePath) {
  constexpr auto list = R"({"id":"a","struct_type":"snapshot"}
{"name":"disk.0.0","type":"file","path":"/b/disk.0.0","size":196624,"struct_type":"node"}
{"name":"disk.0.1","type":"dir","path":"/b/disk.0.1","struct_type":"node"}
)";
  EXPECT_EQ(parse_size(list, "/b/disk.0.0"), 196624U);
  EXPECT_FALSE(parse_size(list, "/b/disk.0.1"));
  EXPECT_FALSE(parse_size(list, "/b/disk.0"));
}

}  // namespace
}  // namespace restic
