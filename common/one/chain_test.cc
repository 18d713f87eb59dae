// SPDX-License-Identifier: Apache-2.0
#include "common/one/chain.h"

#include <gtest/gtest.h>

#include "common/error.h"

TEST(Chain, IsReadBackFromItsText) {
  for (const auto* text : {"0:aaaa0000", "0:aaaa0000,1:bbbb1111", "3:9c1d22aa,7:CCCC2222"})
    EXPECT_EQ(Chain::parse(text).text(), text);
}

TEST(Chain, KnowsItsLastIncrement) {
  EXPECT_EQ(Chain::parse("0:aaaa0000,4:bbbb1111").last(), (Increment{4, "bbbb1111"}));
}

TEST(Chain, EndsAtTheIncrementToRestore) {
  const auto chain = Chain::parse("1:aa,3:bb,4:cc");
  EXPECT_EQ(chain.up_to(3).text(), "1:aa,3:bb");
  EXPECT_EQ(chain.up_to(1).text(), "1:aa");
  EXPECT_EQ(chain.up_to(-1).text(), "1:aa,3:bb,4:cc");
  EXPECT_THROW(chain.up_to(2), BadRequest);
  EXPECT_THROW(chain.up_to(-2), BadRequest);
}

TEST(Chain, RefusesAnythingElse) {
  for (const auto* text :
       {"", "0", "0:", ":aa", "0:aa,", ",0:aa", "0:aa,0:bb", "1:aa,0:bb", "-1:aa", "0:xyz",
        "0:aa bb", "0:../aa", "a:aa", "0:aa;1:bb", "0:aa,1", "0:aa:bb"})
    EXPECT_THROW(Chain::parse(text), BadRequest) << text;
  EXPECT_THROW(Chain::parse("0:" + std::string(65, 'a')), BadRequest);
  EXPECT_EQ(Chain::parse("0:" + std::string(64, 'a')).last().source.size(), 64U);
  EXPECT_THROW(Chain{std::vector<Increment>{}}, BadRequest);
}

TEST(DiskUrl, ReadsAUrlWithoutAJob) {
  const auto url = DiskUrl::parse(
      "restic://100//0:f130ed80,1:1995054d/var/lib/one/datastores/0/22/backup/disk.2.1");
  EXPECT_EQ(url.protocol, "restic");
  EXPECT_EQ(url.datastore_id, 100);
  EXPECT_EQ(url.job_id, std::nullopt);
  EXPECT_EQ(url.chain.text(), "0:f130ed80,1:1995054d");
  EXPECT_EQ(url.path, "/var/lib/one/datastores/0/22/backup/disk.2.1");
  EXPECT_EQ(url.disk_id(), 2);
  EXPECT_EQ(url.vm_id(), 22);
  EXPECT_EQ(url.file(0), "/var/lib/one/datastores/0/22/backup/disk.2.0");
}

TEST(DiskUrl, ReadsAUrlWithAJob) {
  const auto url =
      DiskUrl::parse("rsync+rbd://101/4/0:8a3454,1:f6e63e/var/lib/one/101/6/8a3454/disk.0.rbd2");
  EXPECT_EQ(url.protocol, "rsync+rbd");
  EXPECT_EQ(url.job_id, 4);
  EXPECT_EQ(url.disk_id(), 0);
  EXPECT_THROW(url.vm_id(), BadRequest);  // rsync's paths name the VM elsewhere
}

TEST(DiskUrl, ReadsTheFormOfOpenNebula66) {
  const auto url = DiskUrl::parse("rsync://101/0:0e6658/backups/12/0e6658/disk.0.0");
  EXPECT_EQ(url.job_id, std::nullopt);
  EXPECT_EQ(url.chain.text(), "0:0e6658");
  EXPECT_EQ(url.text(), "rsync://101//0:0e6658/backups/12/0e6658/disk.0.0");
}

TEST(DiskUrl, IsReadBackFromItsText) {
  for (const auto* text : {"restic://100//0:aa/d/1/backup/disk.0.0",
                           "restic+rbd://100/4/0:aa,2:bb/d/1/backup/disk.0.rbd2"})
    EXPECT_EQ(DiskUrl::parse(text).text(), text);
}

TEST(DiskUrl, RefusesAnythingElse) {
  for (const auto* text :
       {"", "restic", "restic://", "restic://100", "restic://100//", "restic://100//0:aa",
        "restic://100//0:aa/", "restic://x//0:aa/d/disk.0.0", "restic://-1//0:aa/d/disk.0.0",
        "restic://100/x/0:aa/d/disk.0.0", "restic://100//0:a'a/d/disk.0.0",
        "restic://100//0:aa/d/../disk.0.0", "restic://100//0:aa/d/\ndisk.0.0",
        "://100//0:aa/d/disk.0.0", "re'stic://100//0:aa/d/disk.0.0", "restic://100///d/disk.0.0"})
    EXPECT_THROW(DiskUrl::parse(text), BadRequest) << text;
}

TEST(DiskUrl, RefusesFilesThatAreNoDisks) {
  for (const auto* name : {"vm.xml", "disk", "disk.", "disk.x.0", "mydisk.0.0"})
    EXPECT_THROW(DiskUrl::parse("restic://1//0:aa/d/" + std::string{name}).disk_id(), BadRequest)
        << name;
  EXPECT_FALSE(DiskUrl::parse("restic://1//0:aa/d/disk.tpm.0").is_disk());
  EXPECT_TRUE(DiskUrl::parse("restic://1//0:aa/d/disk.10.0").is_disk());
}
