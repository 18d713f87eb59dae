// SPDX-License-Identifier: Apache-2.0
#include "common/one/limits.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

confine::Limits limits(const std::string& attributes) {
  const Xml xml{"<DATASTORE><ID>1</ID><TEMPLATE>" + attributes + "</TEMPLATE></DATASTORE>"};
  return limits_of(Datastore{xml.root()}, "RESTIC");
}

TEST(Limits, NothingAndMinusOneAreNoLimit) {
  for (const auto* text : {"",
                           "<RESTIC_NICE>-1</RESTIC_NICE><RESTIC_CPU_QUOTA>-1"
                           "</RESTIC_CPU_QUOTA><RSYNC_NICE>5</RSYNC_NICE>"})
    EXPECT_FALSE(limits(text).any()) << text;
}

TEST(Limits, AllSixAreTaken) {
  const auto set = limits(
      "<RESTIC_NICE>19</RESTIC_NICE><RESTIC_IONICE>0</RESTIC_IONICE>"
      "<RESTIC_CPU_QUOTA>150</RESTIC_CPU_QUOTA><RESTIC_MEMORY_MAX_MB>512</RESTIC_MEMORY_MAX_MB>"
      "<RESTIC_MAX_RIOPS>100</RESTIC_MAX_RIOPS><RESTIC_MAX_WIOPS>200</RESTIC_MAX_WIOPS>");
  EXPECT_EQ(set.nice, 19);
  EXPECT_EQ(set.ionice, 0);
  EXPECT_EQ(set.cpu_percent, 150);
  EXPECT_EQ(set.memory_mb, 512);
  EXPECT_EQ(set.read_iops, 100);
  EXPECT_EQ(set.write_iops, 200);
  EXPECT_EQ(limits_from(to_settings(set)), set);
}

TEST(Limits, OtherThanNumbersThatCanBeIsRefused) {
  for (const auto* text :
       {"<RESTIC_NICE>low</RESTIC_NICE>", "<RESTIC_NICE>20</RESTIC_NICE>",
        "<RESTIC_IONICE>8</RESTIC_IONICE>", "<RESTIC_IONICE>-2</RESTIC_IONICE>",
        "<RESTIC_MAX_RIOPS>1k</RESTIC_MAX_RIOPS>", "<RESTIC_CPU_QUOTA>0</RESTIC_CPU_QUOTA>",
        "<RESTIC_MEMORY_MAX_MB>99999999999</RESTIC_MEMORY_MAX_MB>"})
    EXPECT_THROW(limits(text), BadRequest) << text;
  EXPECT_FALSE(limits_from({{"MAX_RIOPS", "-1"}}).any());
  EXPECT_THROW(limits_from({{"CPU_QUOTA", "half"}}), BadRequest);
  EXPECT_THROW(limits_from({{"IONICE", "9"}}), BadRequest);
}

TEST(Limits, APrefixIsTheDriversNameInUpperCase) {
  const Xml xml{"<DATASTORE><ID>1</ID><DS_MAD>rsync</DS_MAD></DATASTORE>"};
  EXPECT_EQ(attribute_prefix(Datastore{xml.root()}), "RSYNC");
}

}  // namespace
