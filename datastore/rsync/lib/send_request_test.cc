// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_request.h"

#include <gtest/gtest.h>

#include "common/base64.h"
#include "common/error.h"

namespace rsync {
namespace {

SendRequest some() {
  SendRequest request;
  request.directory = "/var/lib/one/datastores/0/12/backup";
  request.files = {{"disk.0.0", 5}, {"vm.xml", 7}};
  request.target.host = "backup1";
  request.target.user = "oneadmin";
  request.base = "/var/lib/one/datastores/100";
  request.vm = 12;
  request.name = "0e6658";
  request.owner = "0123456789abcdef";
  request.args = "-aS";
  request.transport = "ssh";
  request.channels = 7;
  request.server = {"/var/tmp/one/server", "x y"};
  return request;
}

TEST(SendRequest, ComesAsItWasSent) {
  const auto line = some().encode();
  EXPECT_TRUE(line.ends_with("\n"));
  const auto request = SendRequest::decode(line);
  EXPECT_EQ(request.directory, some().directory);
  ASSERT_EQ(request.files.size(), 2U);
  EXPECT_EQ(request.files[1].name, "vm.xml");
  EXPECT_EQ(request.files[1].size, 7U);
  EXPECT_EQ(request.target.host, "backup1");
  EXPECT_EQ(request.target.user, "oneadmin");
  EXPECT_EQ(request.base, some().base);
  EXPECT_EQ(request.vm, 12);
  EXPECT_EQ(request.name, "0e6658");
  EXPECT_EQ(request.owner, "0123456789abcdef");
  EXPECT_EQ(request.args, "-aS");
  EXPECT_EQ(request.transport, "ssh");
  EXPECT_EQ(request.channels, 7U);
  EXPECT_EQ(request.server, some().server);
}

TEST(SendRequest, IsRefusedInPart) {
  EXPECT_THROW(SendRequest::decode(""), BadRequest);
  EXPECT_THROW(SendRequest::decode(base64_encode("{}")), BadRequest);
  EXPECT_THROW(SendRequest::decode(base64_encode("[1]")), BadRequest);
  for (const auto spoil :
       {+[](SendRequest& one) { one.files.clear(); },
        +[](SendRequest& one) { one.directory = "backup"; },
        +[](SendRequest& one) { one.name = "../../"; },
        +[](SendRequest& one) { one.owner = "/.."; }, +[](SendRequest& one) { one.channels = 0; },
        +[](SendRequest& one) { one.channels = 17; },
        +[](SendRequest& one) { one.files[0].name = "../disk"; }}) {
    auto request = some();
    spoil(request);
    EXPECT_THROW(SendRequest::decode(request.encode()), BadRequest);
  }
}

}  // namespace
}  // namespace rsync
