// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/host_uri.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace guest {
namespace {

TEST(HostUri, OfThisMachine) {
  for (const auto* uri : {"qemu:///system", "test:///default", "qemu+ssh://root@localhost/system",
                          "qemu:///system?socket=/x/y", "qemu+ssh://127.0.0.1:22/system"}) {
    const auto found = parse_host_uri(uri);
    EXPECT_TRUE(found.is_here()) << uri;
    EXPECT_EQ(found.to_ask, uri);
    EXPECT_EQ(found.there, uri);
  }
}

TEST(HostUri, OfAnother) {
  const auto plain = parse_host_uri("qemu+ssh://root@kvm2.example.org/system");
  EXPECT_EQ(plain.host, "root@kvm2.example.org");
  EXPECT_EQ(plain.to_ask, "qemu+ssh://root@kvm2.example.org/system?no_tty=1");
  EXPECT_EQ(plain.there, "qemu:///system");
  const auto with = parse_host_uri("qemu+ssh://kvm2/session?socket=/run//x/sock");
  EXPECT_EQ(with.host, "kvm2");
  EXPECT_EQ(with.to_ask, "qemu+ssh://kvm2/session?no_tty=1&socket=/run/x/sock");
  EXPECT_EQ(with.there, "qemu:///session?socket=/run/x/sock");
}

// Parameters that run programs, skip host keys, or smuggle another; words for ssh; passwords.
TEST(HostUri, Refused) {
  for (const auto* uri : {"qemu+ssh://kvm2/system?command=/bin/evil",
                          "qemu+ssh://kvm2/system?no_verify=1",
                          "qemu+ssh://kvm2/system?socket=/a&command=/x",
                          "qemu+ssh://kvm2/system?socket=/a%26b",
                          "qemu+ssh://kvm2/system?socket=a",
                          "qemu+ssh://kvm2/system?socket=/a/../b",
                          "qemu+ssh://kvm2:2222/system",
                          "qemu+ssh://root:secret@kvm2/system",
                          "qemu+ssh://-oProxyCommand=x/system",
                          "qemu+ssh://root@-x/system",
                          "qemu+ssh://a@b@c/system",
                          "qemu+ssh://../system",
                          "qemu+ssh://.x/system",
                          "qemu+ssh://@/system",
                          "qemu+ssh://kvm2/",
                          "qemu+ssh://kvm2",
                          "qemu+tcp://kvm2/system",
                          "qemu+tls://kvm2/system",
                          "qemu+ext://kvm2/system?command=/x",
                          "qemu+ssh://k v/system"})
    EXPECT_THROW(parse_host_uri(uri), BadRequest) << uri;
  EXPECT_EQ(parse_host_uri("qemu+ssh://kvm2/system?").there, "qemu:///system");
}

}  // namespace
}  // namespace guest
