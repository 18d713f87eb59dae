// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/limits.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

Limits limits(const std::string& attributes) {
  const Xml xml{"<DATASTORE><ID>1</ID><TEMPLATE>" + attributes + "</TEMPLATE></DATASTORE>"};
  return Limits::of(Datastore{xml.root()}, "RESTIC");
}

TEST(Limits, NothingAndMinusOneAreNoLimit) {
  for (const auto* text :
       {"", "<RESTIC_NICE>-1</RESTIC_NICE><RESTIC_CPU_QUOTA>-1</RESTIC_CPU_QUOTA>"}) {
    const auto none = limits(text);
    EXPECT_FALSE(none.priority.nice);
    EXPECT_FALSE(none.priority.ionice);
    EXPECT_TRUE(none.unsupported.empty());
  }
}

TEST(Limits, LevelsAreTaken) {
  const auto set = limits("<RESTIC_NICE>19</RESTIC_NICE><RESTIC_IONICE>0</RESTIC_IONICE>");
  EXPECT_EQ(set.priority.nice, 19);
  EXPECT_EQ(set.priority.ionice, 0);
}

TEST(Limits, WhatDoesNothingYetIsKnown) {
  EXPECT_EQ(limits("<RESTIC_MEMORY_MAX_MB>512</RESTIC_MEMORY_MAX_MB>").unsupported,
            std::vector<std::string>{"RESTIC_MEMORY_MAX_MB"});
}

TEST(Limits, OtherThanNumbersAndLevelsIsRefused) {
  for (const auto* text : {"<RESTIC_NICE>low</RESTIC_NICE>", "<RESTIC_NICE>20</RESTIC_NICE>",
                           "<RESTIC_IONICE>8</RESTIC_IONICE>", "<RESTIC_IONICE>-2</RESTIC_IONICE>",
                           "<RESTIC_MAX_RIOPS>1k</RESTIC_MAX_RIOPS>"})
    EXPECT_THROW(limits(text), BadRequest) << text;
}

}  // namespace
