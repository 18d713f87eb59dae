// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/settings.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace rsync {
namespace {

Settings settings(const std::string& attributes, const std::string& base = "/b//101/") {
  const Xml document{"<DATASTORE><ID>101</ID><DS_MAD>rsync</DS_MAD><BASE_PATH>" + base +
                     "</BASE_PATH><TEMPLATE>" + attributes + "</TEMPLATE></DATASTORE>"};
  return Settings{Datastore{document.root()}};
}

TEST(Settings, HaveTheDefaultsOfTheContract) {
  const auto found = settings("<RSYNC_HOST>bk</RSYNC_HOST>");
  EXPECT_EQ(found.target.login(), "bk");
  EXPECT_EQ(found.base, "/b/101");
  EXPECT_EQ(found.args, "-aS");
  EXPECT_EQ(found.transport, "auto");
  EXPECT_EQ(found.channels, 4U);
  EXPECT_EQ(found.tmp_dir, "/var/tmp");
  EXPECT_FALSE(found.limits.any());
  EXPECT_EQ(found.place(12), "'/b/101/12' on 'bk'");
}

TEST(Settings, TakeWhatIsSaid) {
  const auto found = settings(
      "<RSYNC_HOST>bk</RSYNC_HOST><RSYNC_USER>one</RSYNC_USER><RSYNC_ARGS>-a</RSYNC_ARGS>"
      "<RSYNC_TRANSPORT>SSH</RSYNC_TRANSPORT><RSYNC_CHANNELS>1</RSYNC_CHANNELS><RSYNC_NICE>5</"
      "RSYNC_NICE>");
  EXPECT_EQ(found.target.login(), "one@bk");
  EXPECT_EQ(found.args, "-a");
  EXPECT_EQ(found.transport, "ssh");
  EXPECT_EQ(found.channels, 1U);
  EXPECT_EQ(found.limits.nice, 5);
}

TEST(Settings, RefuseWhatCannotWork) {
  EXPECT_THROW(settings(""), BadRequest);
  EXPECT_THROW(settings("<RSYNC_HOST>bk</RSYNC_HOST>", ""), BadRequest);
  EXPECT_THROW(settings("<RSYNC_HOST>bk</RSYNC_HOST><RSYNC_ARGS>--delete</RSYNC_ARGS>"),
               BadRequest);
  for (const auto* host : {"-oProxyCommand=x", "b k", "a;b"})
    EXPECT_THROW(settings(std::string{"<RSYNC_HOST>"} + host + "</RSYNC_HOST>"), BadRequest)
        << host;
  EXPECT_THROW(settings("<RSYNC_HOST>bk</RSYNC_HOST><RSYNC_TRANSPORT>carrier</RSYNC_TRANSPORT>"),
               BadRequest);
  for (const auto* number : {"0", "17", "-1", "four", "2.5"})
    EXPECT_THROW(settings(std::string{"<RSYNC_HOST>bk</RSYNC_HOST><RSYNC_CHANNELS>"} + number +
                          "</RSYNC_CHANNELS>"),
                 BadRequest)
        << number;
}

TEST(VmOf, IsTheDirectoryBelowTheBase) {
  const auto with = settings("<RSYNC_HOST>bk</RSYNC_HOST>");
  const auto vm = [&](const std::string& path) {
    return vm_of(DiskUrl::parse("rsync://101//0:0e6658" + path), with);
  };
  EXPECT_EQ(vm("/b/101/12/0e6658/disk.0.0"), 12);
  EXPECT_EQ(vm("/var/vms/7/backup/disk.0.0"), 7);
  EXPECT_THROW(vm("/b/101/x/0e6658/disk.0.0"), BadRequest);
  EXPECT_THROW(vm("/b/disk.0.0"), BadRequest);
}

TEST(NameOf, IsSixHexadecimalDigits) {
  EXPECT_EQ(name_of({0, "0e6658"}), "0e6658");
  EXPECT_THROW(name_of({0, "deadbeef"}), Error);
}

}  // namespace
}  // namespace rsync
