// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/cache.h"

#include <gtest/gtest.h>

#include "common/file.h"
#include "common/sha256.h"

namespace fs = std::filesystem;

namespace rsync {
namespace {

const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(SideCache, KeepsWhatItGot) {
  const TempDir dir;
  const SideCache cache{dir.path() / "new" / "cache"};
  EXPECT_EQ(cache.find(abc), std::nullopt);
  cache.put(abc, "abc");
  EXPECT_EQ(cache.find(abc), "abc");
  cache.remove(abc);
  EXPECT_EQ(cache.find(abc), std::nullopt);
}

TEST(SideCache, IsNotDeceivedByADamagedFile) {
  const TempDir dir;
  const SideCache cache{dir.path()};
  cache.put(abc, "abc");
  write_file(dir.path() / abc, "abd");
  EXPECT_EQ(cache.find(abc), std::nullopt);
  EXPECT_FALSE(fs::exists(dir.path() / abc));
}

TEST(SideCache, OnlyLooksIntoItsDirectory) {
  const TempDir dir;
  write_file(dir.path() / "abc", "abc");
  EXPECT_EQ((SideCache{dir.path() / "cache"}.find("../abc")), std::nullopt);
}

TEST(SideCache, MakesRoomByWhatWasNotUsedForLong) {
  const TempDir dir;
  const SideCache cache{dir.path(), 250};
  std::string names[3];
  const auto now = fs::file_time_type::clock::now();
  for (int n = 0; n < 2; ++n) {
    const std::string content(100, static_cast<char>('0' + n));
    cache.put(names[n] = sha256_of(content), content);
    fs::last_write_time(dir.path() / names[n], now - std::chrono::hours{10 - n});
  }
  EXPECT_TRUE(cache.find(names[0]));  // used now
  cache.put(names[2] = sha256_of("more"), std::string(100, 'x'));
  EXPECT_TRUE(fs::exists(dir.path() / names[0]));
  EXPECT_FALSE(fs::exists(dir.path() / names[1]));
  EXPECT_TRUE(fs::exists(dir.path() / names[2]));
}

TEST(SideCache, ForgetsWhatNobodyWants) {
  const TempDir dir;
  const SideCache cache{dir.path()};
  cache.put(abc, "abc");
  fs::last_write_time(dir.path() / abc,
                      fs::file_time_type::clock::now() - std::chrono::hours{24 * 100});
  cache.put(sha256_of("x"), "x");
  EXPECT_FALSE(fs::exists(dir.path() / abc));
}

TEST(SideCache, ThatCannotBeWrittenIsNone) {
  const SideCache cache{"/proc/none"};
  cache.put(abc, "abc");
  EXPECT_EQ(cache.find(abc), std::nullopt);
}

}  // namespace
}  // namespace rsync
