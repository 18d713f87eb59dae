// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/chain_layers.h"

#include <gtest/gtest.h>

TEST(ChainLayers, KnowTheNamesOfADisksFiles) {
  EXPECT_EQ(names_of_disk(3, 12), (std::vector<std::string>{"disk.3.12", "disk.3.12.rbdiff"}));
  EXPECT_EQ(names_of_disk(0, 0).back(), "disk.0.rbd2");
  EXPECT_EQ(disk_in("disk.3.12", 12), 3);
  EXPECT_EQ(disk_in("disk.3.12.rbdiff", 12), 3);
  EXPECT_EQ(disk_in("disk.3.rbd2", 0), 3);
  for (const auto* other : {"disk.3.2", "disk.3.112", "disk.3.112.rbdiff", "disk.3.rbd2",
                            "disk..12", "disk.tpm.12", "sums.3.12", "disk.3.12.rbd2", "disk.12"})
    EXPECT_EQ(disk_in(other, 12), std::nullopt) << other;
}
