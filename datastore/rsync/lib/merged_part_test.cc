// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/merged_part.h"

#include <gtest/gtest.h>

namespace rsync {
namespace {

std::string part(const std::string& merged) {
  return from_last_merged(Chain::parse("0:aa,1:bb,2:cc"),
                          [&](const Increment& one) { return one.source == merged; })
      .text();
}

TEST(FromLastMerged, LeavesOutWhatIsInIt) {
  EXPECT_EQ(part(""), "0:aa,1:bb,2:cc");
  EXPECT_EQ(part("aa"), "0:aa,1:bb,2:cc");
  EXPECT_EQ(part("bb"), "1:bb,2:cc");
  EXPECT_EQ(part("cc"), "2:cc");
}

}  // namespace
}  // namespace rsync
