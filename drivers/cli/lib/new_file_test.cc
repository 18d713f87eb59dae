// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/new_file.h"

#include <gtest/gtest.h>

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

TEST_F(NewFileTest, OverwritesWhatADeadOneLeftButNotALivingOnes) {
  write_file(path.string() + ".part", "left behind");
  const NewFile file{path};
  EXPECT_EQ(read_file(file.part()), "");
  EXPECT_THROW(NewFile{path}, Error);
}

TEST_F(NewFileTest, ADirectoryGoesIfItWasMadeForNothing) {
  { const NewDirectory made{dir.path() / "new"}; }
  EXPECT_FALSE(fs::exists(dir.path() / "new"));
  { const NewDirectory old{dir.path()}; }
  EXPECT_TRUE(fs::exists(dir.path()));
  EXPECT_THROW(NewDirectory{dir.path() / "a" / "b"}, Error);
}

}  // namespace
}  // namespace cli
