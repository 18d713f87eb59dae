// SPDX-License-Identifier: Apache-2.0
#include "common/lvm/volume.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

TEST(LvmVolume, HasTheNamesThatTheDeviceMapperGivesIt) {
  const auto volume = lvm::parse_volume("vg-one-0/lv-one-7-0");
  EXPECT_EQ(volume.device(), "/dev/vg-one-0/lv-one-7-0");
  EXPECT_EQ(volume.mapper_name(), "vg--one--0-lv--one--7--0");
  EXPECT_EQ(volume.beside("x").display(), "vg-one-0/x");
}

TEST(LvmVolume, RefusesWhatIsNoName) {
  for (const auto* text : {"", "vg", "vg/", "/lv", "vg/lv/more", "-vg/lv", "vg/-lv", "vg/a b",
                           "vg/..", "../lv", "vg/l;v", "vg/l@v", "vg/l\nv"})
    EXPECT_THROW(lvm::parse_volume(text), BadRequest) << text;
  EXPECT_THROW(lvm::parse_volume("vg/" + std::string(128, 'a')), BadRequest);
}

constexpr const char* said = R"({"report": [{"lv": [
  {"lv_name":"lv-one-5-0", "pool_lv":"lv-one-5-pool", "origin":"", "thin_id":"1",
   "lv_size":"67108864", "lv_active":"active", "lv_device_open":"open",
   "metadata_percent":"", "lv_tags":"a,vmvault_whole"},
  {"lv_name":"lv-one-5-pool", "pool_lv":"", "origin":"", "thin_id":"",
   "lv_size":"134217728", "lv_active":"", "lv_device_open":"",
   "metadata_percent":"10.94", "lv_tags":""}]}]})";

TEST(LvmVolumes, AreWhatLvsSays) {
  const auto all = lvm::parse_volumes(said);
  ASSERT_EQ(all.size(), 2U);
  const auto* volume = lvm::find(all, "lv-one-5-0");
  ASSERT_NE(volume, nullptr);
  EXPECT_EQ(volume->pool, "lv-one-5-pool");
  EXPECT_EQ(volume->thin_id, 1U);
  EXPECT_EQ(volume->size, 67108864U);
  EXPECT_TRUE(volume->active);
  EXPECT_TRUE(volume->open);
  EXPECT_EQ(volume->tags, (std::vector<std::string>{"a", "vmvault_whole"}));
  const auto* pool = lvm::find(all, "lv-one-5-pool");
  ASSERT_NE(pool, nullptr);
  EXPECT_FALSE(pool->thin_id);
  EXPECT_FALSE(pool->active);
  EXPECT_FALSE(pool->open);
  EXPECT_DOUBLE_EQ(pool->used_metadata_percent, 10.94);
  EXPECT_EQ(lvm::find(all, "lv-one-5-1"), nullptr);
}

TEST(LvmVolumes, RefuseWhatLvsDoesNotSay) {
  for (const auto* text : {"", "{}", R"({"report": [{}]})", R"({"report": [{"lv": [{}]}]})",
                           R"({"report": [{"lv": [{"lv_name": 1}]}]})"})
    EXPECT_THROW(lvm::parse_volumes(text), Error) << text;
  std::string bad = said;
  bad.replace(bad.find("67108864"), 8, "many");
  EXPECT_THROW(lvm::parse_volumes(bad), Error);
}

}  // namespace
