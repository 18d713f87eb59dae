// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/guest_report.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace host {
namespace {

GuestReport sample(const std::string& name) {
  const std::string bytes{"\0\n\xff", 3};
  return {.live = true,
          .consistent = false,
          .inconsistent_why = "no freeze was asked for",
          .freeze_seconds = 0.25,
          .domain_xml = "<domain>\n <name>ä</name>\n</domain>",
          .kept = {{.what = "NVRAM", .name = name, .bytes = bytes, .why = ""}}};
}

}  // namespace

TEST(GuestReport, ComesBackAsItWasSentOnOneLine) {
  const auto one = sample("nvram.fd");
  const auto line = one.to_line();
  EXPECT_EQ(line.find('\n'), line.npos);
  const auto again = GuestReport::parse(line);
  EXPECT_TRUE(again.live);
  EXPECT_FALSE(again.consistent);
  EXPECT_EQ(again.inconsistent_why, one.inconsistent_why);
  EXPECT_EQ(again.freeze_seconds, 0.25);
  EXPECT_EQ(again.domain_xml, one.domain_xml);
  ASSERT_EQ(again.kept.size(), 1U);
  EXPECT_EQ(again.kept[0].bytes, one.kept[0].bytes);
}

TEST(GuestReport, NamesNoFileButThoseOfAMachine) {
  for (const std::string name : {"../x", "disk.0.0", "vm.xml", ""})
    EXPECT_THROW(GuestReport::parse(sample(name).to_line()), Error) << name;
  EXPECT_THROW(GuestReport::parse("{}"), Error);
  EXPECT_THROW(GuestReport::parse("no report"), Error);
}

}  // namespace host
