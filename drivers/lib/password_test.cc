// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/password.h"

#include <gtest/gtest.h>

namespace {

TEST(Password, IsKnownByItsHashAndByNothingElse) {
  const auto hash = hash_password("correct horse");
  EXPECT_TRUE(is_password("correct horse", hash));
  EXPECT_FALSE(is_password("correct horsf", hash));
  EXPECT_FALSE(is_password("", hash));
  EXPECT_EQ(hash.find("correct"), hash.npos);
  EXPECT_NE(hash, hash_password("correct horse")) << "each has a salt of its own";
}

TEST(Password, IsNoneWhereTheHashIsNone) {
  for (const char* hash : {"", ":", "scrypt", "scrypt:14:8:1:00:", "scrypt:99:8:1:00:11",
                           "scrypt:x:8:1:00:11", "md5:14:8:1:00:11", "scrypt:14:8:1:00:11:22"})
    EXPECT_FALSE(is_password("", hash)) << hash;
}

TEST(Secret, IsComparedWhole) {
  EXPECT_TRUE(same_secret("abc", "abc"));
  EXPECT_FALSE(same_secret("abc", "abd"));
  EXPECT_FALSE(same_secret("abc", "ab"));
  EXPECT_TRUE(same_secret("", ""));
  EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
