// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/scratch_place.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/file.h"

namespace {

std::string why_not(const std::filesystem::path& dir, int uid = -1, int gid = -1) try {
  host::check_scratch_place(dir, uid, gid);
  return "";
} catch (const Error& e) {
  EXPECT_NE(std::string{e.what()}.find("SCRATCH_PATH"), std::string::npos);
  return e.what();
}

TEST(ScratchPlace, NetworkFileSystemsAreKnown) {
  EXPECT_EQ(host::remote_file_system(0x6969), "NFS");
  EXPECT_EQ(host::remote_file_system(0xff534d42), "CIFS");
  // As a long with its sign, as some machines have it.
  EXPECT_EQ(host::remote_file_system(static_cast<std::uint64_t>(std::int32_t(0xfe534d42))), "SMB");
  EXPECT_EQ(host::remote_file_system(0x65735546), "FUSE");
  EXPECT_EQ(host::remote_file_system(0x00c36400), "Ceph");
  EXPECT_EQ(host::remote_file_system(0x01021997), "9P");
  for (const std::uint64_t local : {0xef53U, 0x58465342U, 0x9123683eU, 0x01021994U, 0x2fc12fc1U})
    EXPECT_EQ(host::remote_file_system(local), "");
}

TEST(ScratchPlace, AnOrdinaryDirectoryIsFit) {
  const TempDir dir;
  EXPECT_EQ(why_not(dir.path()), "");
}

TEST(ScratchPlace, WhatIsMissingOrNoDirectoryIsRefused) {
  const TempDir dir;
  write_file(dir.path() / "file", "");
  EXPECT_NE(why_not(dir.path() / "none").find("does not exist"), std::string::npos);
  EXPECT_NE(why_not(dir.path() / "file").find("is no directory"), std::string::npos);
}

TEST(ScratchPlace, QemusUserMustBeAbleToWriteIt) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can look as another user";
  const TempDir dir;
  const auto inner = dir.path() / "scratch";
  constexpr int somebody = 64055;
  ASSERT_EQ(mkdir(inner.c_str(), 0700), 0);
  EXPECT_NE(why_not(inner, somebody, somebody).find("Permission denied"), std::string::npos);
  ASSERT_EQ(chown(inner.c_str(), somebody, somebody), 0);
  EXPECT_NE(why_not(inner, somebody, somebody).find("Permission denied"), std::string::npos);
  ASSERT_EQ(chmod(dir.path().c_str(), 0711), 0);
  EXPECT_EQ(why_not(inner, somebody, somebody), "");
}

}  // namespace
