// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/new_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "common/error.h"
#include "common/file.h"

namespace fs = std::filesystem;

namespace cli {
namespace {

class NewFileTest : public testing::Test {
 protected:
  TempDir dir;
  fs::path path = dir.path() / "disk";
};

TEST_F(NewFileTest, AppearsWhole) {
  NewFile file{path};
  write_all(file.fd(), "all of it", "write");
  EXPECT_FALSE(fs::exists(path));
  file.give_name();
  file.release();
  EXPECT_EQ(read_file(path), "all of it");
  EXPECT_FALSE(fs::exists(file.part()));
}

TEST_F(NewFileTest, LeavesNothingBehindUnlessReleased) {
  { const NewFile file{path}; }
  EXPECT_TRUE(fs::is_empty(dir.path()));
  {
    NewFile file{path};
    file.give_name();
  }
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST_F(NewFileTest, NeverTakesThePlaceOfAnother) {
  write_file(path, "old");
  {
    NewFile file{path};
    EXPECT_THROW(file.give_name(), Error);
  }
  EXPECT_EQ(read_file(path), "old");
}

TEST_F(NewFileTest, TakesThePlaceOfWhatADeadOneLeftButNotOfALivingOnes) {
  write_file(path.string() + ".part", "left behind");
  NewFile file{path};
  EXPECT_EQ(read_file(file.part()), "");
  EXPECT_THROW(NewFile{path}, Error);
  file.give_name();
  file.release();
  EXPECT_TRUE(fs::exists(path)) << "the other left it alone";
}

TEST_F(NewFileTest, WritesIntoNothingThatWasPutInItsPlace) {
  const auto precious = dir.path() / "precious";
  write_file(precious, "precious", 0644);
  const fs::path part = path.string() + ".part";
  for (const bool link : {true, false}) {
    link ? fs::create_symlink(precious, part) : fs::create_hard_link(precious, part);
    NewFile file{path};
    write_all(file.fd(), "secret", "write");
    EXPECT_EQ(fs::symlink_status(part).type(), fs::file_type::regular);
    EXPECT_EQ(fs::status(part).permissions(), fs::perms{0600});
  }
  EXPECT_EQ(read_file(precious), "precious");
}

TEST_F(NewFileTest, ADirectoryGoesIfItWasMadeForNothing) {
  { const NewDirectory made{dir.path() / "new"}; }
  EXPECT_FALSE(fs::exists(dir.path() / "new"));
  { const NewDirectory old{dir.path()}; }
  EXPECT_TRUE(fs::exists(dir.path()));
  EXPECT_THROW(NewDirectory{dir.path() / "a" / "b"}, Error);
}

TEST_F(NewFileTest, DirectoriesGoIfTheyWereMadeForNothingAndNoOthers) {
  fs::create_directory(dir.path() / "old");
  const auto below = dir.path() / "old" / "a" / "b" / "";
  {
    const NewDirectories made{below};
    EXPECT_TRUE(fs::is_directory(below));
  }
  EXPECT_TRUE(fs::is_empty(dir.path() / "old"));
  write_file(dir.path() / "file", "");
  EXPECT_THROW(NewDirectories(dir.path() / "file" / "a" / "b"), Error);
  EXPECT_THROW(NewDirectories(dir.path() / "old" / "a" / std::string(300, 'b')), Error);
  EXPECT_TRUE(fs::is_empty(dir.path() / "old"));
  NewDirectories made{below};
  made.keep();
  EXPECT_TRUE(fs::is_directory(below));
}

TEST_F(NewFileTest, ADirectoryOfOursIsListedByNobodyElse) {
  const NewDirectory made{dir.path() / "new"};
  EXPECT_EQ(fs::status(dir.path() / "new").permissions() & fs::perms{0066}, fs::perms::none);
}

TEST_F(NewFileTest, ADirectoryInWhichOthersCanReplaceFilesIsRefused) {
  for (const unsigned mode : {0777u, 0775u, 0757u}) {
    fs::permissions(dir.path(), fs::perms{mode});
    EXPECT_THROW(NewDirectory{dir.path()}, Error) << mode;
    fs::permissions(dir.path(), fs::perms{mode | 01000});
    EXPECT_NO_THROW(NewDirectory{dir.path()}) << mode;
  }
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  ASSERT_EQ(chown(dir.path().c_str(), 12345, 0), 0);
  fs::permissions(dir.path(), fs::perms{0755});
  EXPECT_THROW(NewDirectory{dir.path()}, Error);
}

}  // namespace
}  // namespace cli
