// SPDX-License-Identifier: Apache-2.0
#include "common/rbd/image.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace rbd {
namespace {

using qcow2::Content;
using qcow2::Extents;

Extents of(std::uint64_t size, std::initializer_list<const char*> lines) {
  DiffLines out{size};
  for (const auto* line : lines) out.add(line);
  return out.extents();
}

}  // namespace

TEST(RbdImage, NamesPoolNameSpaceAndImage) {
  EXPECT_EQ(parse_image("one/one-7").name, "one-7");
  EXPECT_EQ(parse_image("one/tenant/one-7").name_space, "tenant");
  for (const auto* good : {"one/one-7", "one/tenant/one-7", "a.b/c_d+e=f~g,h"})
    EXPECT_EQ(parse_image(good).display(), good);
}

TEST(RbdImage, RefusesWhatRbdOrQemuWouldReadOtherwise) {
  for (const auto* bad : {"", "one", "one/", "/x", "one//x", "a/b/c/d", "one/x@s", "one/x:conf=/y",
                          "one/x y", "one/x\ny", "one/x\\y"})
    EXPECT_THROW(parse_image(bad), BadRequest) << bad;
}

TEST(RbdDiff, BecomesExtents) {
  EXPECT_EQ(
      of(1 << 20, {"Offset      Length   Type", "0              4096  data",
                   "4096           4096  zero", "65536         65536  data"}),
      (Extents{
          {0, 4096, Content::data}, {4096, 4096, Content::zero}, {65536, 65536, Content::data}}));
  EXPECT_TRUE(of(1 << 20, {}).empty());
}

TEST(RbdDiff, EndsWithTheImage) {
  EXPECT_EQ(of(6000, {"4096 4096 data", "6000 10 zero"}), (Extents{{4096, 1904, Content::data}}));
}

TEST(RbdDiff, RefusesWhatItDoesNotUnderstand) {
  for (const auto* bad : {"0 4096", "0 4096 data more", "0 x data", "x 1 data", "-1 5 data",
                          "0 4096 other", "99999 1 data", "0x0 1 data"})
    EXPECT_THROW(of(8192, {bad}), Error) << bad;
  EXPECT_THROW(of(8192, {"4096 100 data", "0 100 data"}), Error);
}

TEST(RbdImage, IsNamedForQemuWithALimitForItsAnswers) {
  Image image = parse_image("one/t/a=b");
  EXPECT_EQ(qemu_name(image, "one_backup_3", std::chrono::seconds{7}),
            "rbd:one/t/a\\=b@one_backup_3:rados_osd_op_timeout=7:rados_mon_op_timeout=7:"
            "client_mount_timeout=7");
  image.user = "libvirt";
  image.conf = "/etc/a:b.conf";
  image.key_file = "/k";
  EXPECT_TRUE(
      qemu_name(image, "s", std::chrono::seconds{7})
          .starts_with("rbd:one/t/a\\=b@s:id=libvirt:conf=\\/etc\\/a\\:b.conf:keyfile=\\/k:"));
}

}  // namespace rbd
