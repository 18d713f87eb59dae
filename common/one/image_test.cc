// SPDX-License-Identifier: Apache-2.0
#include "common/one/image.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

Image parse(const std::string& text) { return Image::parse(Xml{text}.root()); }

std::string increment(const std::string& id, const std::string& source) {
  return "<INCREMENT><DATE>1787212800</DATE><ID><![CDATA[" + id + "]]></ID><SOURCE><![CDATA[" +
         source + "]]></SOURCE><TYPE>INCREMENT</TYPE></INCREMENT>";
}

}  // namespace

TEST(Image, ReadsAChain) {
  const auto image = parse(
      "<IMAGE><ID>57</ID><SOURCE>aaaa0000</SOURCE><PATH></PATH><FORMAT>raw</FORMAT>"
      "<VMS><ID>12</ID></VMS><TEMPLATE><BACKUP_JOB_ID><![CDATA[4]]></BACKUP_JOB_ID></TEMPLATE>"
      "<BACKUP_INCREMENTS>" +
      increment("1", "bbbb1111") + increment("0", "aaaa0000") + "</BACKUP_INCREMENTS></IMAGE>");
  EXPECT_EQ(image.id, 57);
  EXPECT_EQ(image.format, "raw");
  EXPECT_EQ(image.vm_id, 12);
  EXPECT_EQ(image.job_id, 4);
  ASSERT_TRUE(image.chain);
  EXPECT_EQ(image.chain->text(), "0:aaaa0000,1:bbbb1111");
}

TEST(Image, AFullBackupIsAChainOfOne) {
  const auto image = parse(
      "<IMAGE><ID>5</ID><SOURCE>f84524fe</SOURCE><VMS/><TEMPLATE/>"
      "<BACKUP_INCREMENTS/></IMAGE>");
  ASSERT_TRUE(image.chain);
  EXPECT_EQ(image.chain->text(), "0:f84524fe");
  EXPECT_EQ(image.vm_id, std::nullopt);
  EXPECT_EQ(image.job_id, std::nullopt);
}

TEST(Image, ReadsTheShortFormOfStat) {
  const auto image = parse(
      "<IMAGE><PATH>restic://100//0:aa/d/1/backup/disk.0.0</PATH><SIZE></SIZE>"
      "<BACKUP_JOB_ID>3</BACKUP_JOB_ID></IMAGE>");
  EXPECT_EQ(image.id, -1);
  EXPECT_EQ(image.path, "restic://100//0:aa/d/1/backup/disk.0.0");
  EXPECT_EQ(image.job_id, 3);
  EXPECT_FALSE(image.chain);
}

TEST(Image, AnImageThatIsNoBackupHasNoChain) {
  EXPECT_FALSE(parse("<IMAGE><ID>1</ID><SOURCE>/var/lib/one/1/15c0</SOURCE></IMAGE>").chain);
}

TEST(Image, RefusesWhatIsNoNumberAndNoSnapshot) {
  EXPECT_THROW(parse("<VM><ID>1</ID></VM>"), BadRequest);
  EXPECT_THROW(parse("<IMAGE><ID>x</ID></IMAGE>"), BadRequest);
  EXPECT_THROW(parse("<IMAGE><VMS><ID>-4</ID></VMS></IMAGE>"), BadRequest);
  for (const auto& bad : {increment("x", "aa"), increment("", "aa"), increment("0", "'; reboot"),
                          increment("0", "aa") + increment("0", "bb")})
    EXPECT_THROW(
        parse("<IMAGE><ID>1</ID><BACKUP_INCREMENTS>" + bad + "</BACKUP_INCREMENTS></IMAGE>"),
        BadRequest)
        << bad;
}
