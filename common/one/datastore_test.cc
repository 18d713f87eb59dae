// SPDX-License-Identifier: Apache-2.0
#include "common/one/datastore.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

Datastore parse(const std::string& text) { return Datastore{Xml{text}.root()}; }

Datastore with(const std::string& attributes) {
  return parse("<DATASTORE><ID>100</ID><TEMPLATE>" + attributes + "</TEMPLATE></DATASTORE>");
}

}  // namespace

TEST(Datastore, ReadsWhatTheCoreSends) {
  const auto datastore = parse(
      "<DATASTORE><ID>102</ID><NAME>bck</NAME><DS_MAD><![CDATA[restic]]></DS_MAD>"
      "<TM_MAD><![CDATA[-]]></TM_MAD><BASE_PATH><![CDATA[/var/lib/one//datastores/102]]>"
      "</BASE_PATH><TYPE>3</TYPE><TEMPLATE>"
      "<RESTIC_PASSWORD><![CDATA[p\"w&]]></RESTIC_PASSWORD>"
      "<RESTIC_SFTP_SERVER><![CDATA[bkp1]]></RESTIC_SFTP_SERVER></TEMPLATE></DATASTORE>");
  EXPECT_EQ(datastore.id(), 102);
  EXPECT_EQ(datastore.ds_mad(), "restic");
  EXPECT_EQ(datastore.base_path(), "/var/lib/one/datastores/102");
  EXPECT_EQ(datastore.required("RESTIC_PASSWORD"), "p\"w&");
  EXPECT_EQ(datastore.attribute("RESTIC_SFTP_SERVER", "none"), "bkp1");
}

TEST(Datastore, OutlivesTheRequest) {
  const auto datastore = [] {
    const Xml request{
        "<DATA><DATASTORE><ID>1</ID><TEMPLATE><A>b</A></TEMPLATE></DATASTORE></DATA>"};
    return Datastore{*request.root().first("DATASTORE")};
  }();
  EXPECT_EQ(datastore.attribute("A"), "b");
  EXPECT_EQ(datastore.node().at("ID"), "1");
}

TEST(Datastore, TakesEmptyForAbsent) {
  const auto datastore = with("<A/><B><![CDATA[]]></B><C>\"\"</C>");
  for (const auto* name : {"A", "B", "C", "D"}) {
    EXPECT_EQ(datastore.attribute(name), std::nullopt) << name;
    EXPECT_EQ(datastore.number(name, 7), 7) << name;
    EXPECT_FALSE(datastore.flag(name)) << name;
  }
}

TEST(Datastore, TakesOnePairOfQuotesOff) {
  EXPECT_EQ(with("<A>\"x y\"</A>").attribute("A"), "x y");
  EXPECT_EQ(with("<A>\"\"x\"\"</A>").attribute("A"), "\"x\"");
  EXPECT_EQ(with("<A>\"</A>").attribute("A"), "\"");
}

TEST(Datastore, ReadsNumbersAndFlags) {
  const auto datastore = with("<N>-5</N><X>5x</X><Y>yes</Y><Z>NO</Z>");
  EXPECT_EQ(datastore.number("N", 0), -5);
  EXPECT_THROW(datastore.number("X", 0), BadRequest);
  EXPECT_TRUE(datastore.flag("Y"));
  EXPECT_FALSE(datastore.flag("Z"));
}

TEST(Datastore, NamesWhatItMisses) {
  try {
    with("").required("RESTIC_PASSWORD");
    FAIL() << "a password was found";
  } catch (const BadRequest& e) {
    EXPECT_STREQ(e.what(), "datastore 100 has no RESTIC_PASSWORD");
  }
}

TEST(Datastore, NeverQuotesAValueThatItRefuses) {
  try {
    with("<RESTIC_NICE>hunter2</RESTIC_NICE>").number("RESTIC_NICE", -1);
    FAIL() << "it was taken for a number";
  } catch (const BadRequest& e) {
    EXPECT_EQ(std::string{e.what()}.find("hunter2"), std::string::npos);
  }
}

TEST(Datastore, RefusesWhatIsNone) {
  EXPECT_THROW(parse("<DATASTORE/>"), BadRequest);
  EXPECT_THROW(parse("<DATASTORE><ID>x</ID></DATASTORE>"), BadRequest);
  EXPECT_THROW(parse("<IMAGE><ID>1</ID></IMAGE>"), BadRequest);
  EXPECT_THROW(parse("<DATASTORE><ID>1</ID><BASE_PATH>/a/../b</BASE_PATH></DATASTORE>"),
               BadRequest);
}
