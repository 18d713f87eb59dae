// SPDX-License-Identifier: Apache-2.0
#include "common/private_mount.h"

#include <gtest/gtest.h>

#include <fstream>
#include <optional>

#include "common/command.h"
#include "common/error.h"
#include "common/file.h"
#include "common/view.h"

namespace fs = std::filesystem;

namespace {

class PrivateMountTest : public testing::Test {
 protected:
  // Skips where this user can have none.
  PrivateMount& mount_on(const fs::path& at) {
    mount_.emplace(at);
    return *mount_;
  }
  void SetUp() override {
    fs::create_directories(dir_.path() / "there");
    std::ofstream{dir_.path() / "there" / "beside"} << "as it was";
    fs::create_symlink("there/beside", dir_.path() / "link");
    try {
      mount_.emplace(dir_.path() / "there");
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
    mount_.reset();
  }
  static View::Content content() { return {.files = {View::File::document("file", "made")}}; }
  static std::string inside(const PrivateMount& mount, const fs::path& file) {
    auto words = mount.prefix();
    words.insert(words.end(), {"cat", file.string()});
    return Command{words}.output();
  }

  const TempDir dir_;
  std::optional<PrivateMount> mount_;
};

TEST_F(PrivateMountTest, IsSeenByNobodyElse) {
  auto& mount = mount_on(dir_.path() / "there");
  const View view{mount.take_fuse(), content()};
  EXPECT_EQ(inside(mount, dir_.path() / "there" / "file"), "made");
  EXPECT_EQ(inside(mount, "/proc/self/mounts").find(dir_.path().string()) != std::string::npos,
            true);
  EXPECT_FALSE(fs::exists(dir_.path() / "there" / "file"));
  EXPECT_EQ(read_file(dir_.path() / "there" / "beside"), "as it was");
}

TEST_F(PrivateMountTest, MayBeWhereNothingIs) {
  const auto at = dir_.path() / "not" / "there";
  auto& mount = mount_on(at);
  const View view{mount.take_fuse(), content()};
  EXPECT_EQ(inside(mount, at / "file"), "made");
  // What is beside it looks as it did.
  EXPECT_EQ(inside(mount, dir_.path() / "there" / "beside"), "as it was");
  EXPECT_EQ(inside(mount, dir_.path() / "link"), "as it was");
  EXPECT_FALSE(fs::exists(dir_.path() / "not"));
}

TEST_F(PrivateMountTest, AReaderOfAFailedViewGetsAnError) {
  auto& mount = mount_on(dir_.path() / "there");
  View view{mount.take_fuse(),
            {.files = {{.name = "bad",
                        .size = 4,
                        .read = [](std::uint64_t, std::span<std::byte>) -> std::size_t {
                          throw Error{"no luck"};
                        }}}}};
  EXPECT_THROW(inside(mount, dir_.path() / "there" / "bad"), Error);
  EXPECT_EQ(view.failure(), "no luck");
}

TEST_F(PrivateMountTest, LetsSshReadItsConfiguration) {
  if (!fs::exists("/usr/bin/ssh")) GTEST_SKIP() << "no ssh here";
  auto& mount = mount_on(dir_.path() / "there");
  auto words = mount.prefix();
  words.insert(words.end(), {"ssh", "-G", "from-root"});
  const auto here = Command{"ssh", "-G", "from-root"}.run();
  EXPECT_EQ(Command{words}.output(), here.out);
}

TEST_F(PrivateMountTest, NeedsADirectory) {
  EXPECT_THROW(PrivateMount{dir_.path() / "there" / "beside"}, Error);
  EXPECT_THROW(PrivateMount{dir_.path() / "there" / "beside" / "below"}, Error);
}

}  // namespace
