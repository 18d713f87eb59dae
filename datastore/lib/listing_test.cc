// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/listing.h"

#include <gtest/gtest.h>

namespace {

DiskUrl url() {
  return {.protocol = "restic",
          .datastore_id = 102,
          .job_id = {},
          .chain = Chain::parse("2:8c634d5e,3:c6833468,4:8ad4b4bb"),
          .path = {}};
}

TEST(Listing, IsAsTheCoreGotItFromOthers) {
  EXPECT_EQ(listing({"/var/lib/one/datastores/101/2/backup/disk.0.4",
                     "/var/lib/one/datastores/101/2/backup/vm.xml"},
                    url()),
            R"({"0":"restic://102//2:8c634d5e,3:c6833468,4:8ad4b4bb)"
            R"(/var/lib/one/datastores/101/2/backup/disk.0.4"})");
}

TEST(Listing, OrdersDisksByNumberAndKnowsATpm) {
  const auto text = listing({"/b/disk.10.0", "/b/disk.2.0", "/b/disk.tpm.0", "/b/disk.x.0"}, url());
  EXPECT_LT(text.find("\"2\""), text.find("\"10\""));
  EXPECT_NE(text.find("\"tpm\":\"restic://"), text.npos);
  EXPECT_EQ(text.find("disk.x"), text.npos);
}

TEST(Listing, OfNothingIsAnEmptyObject) { EXPECT_EQ(listing({"/b/vm.xml"}, url()), "{}"); }

}  // namespace
