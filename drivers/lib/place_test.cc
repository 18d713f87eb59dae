// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/place.h"

#include "common/error.h"
#include "drivers/lib/test_home.h"

namespace fs = std::filesystem;

namespace state {
namespace {

class PlaceTest : public HomeTest {
 protected:
  // The whole directory, somewhere else.
  Home copied(const std::string& name) {
    fs::copy(home.var(), dir.path() / name, fs::copy_options::recursive);
    return Home{dir.path() / name};
  }
};

TEST_F(PlaceTest, IsNotedByWhoChangesBackupsFirst) {
  const auto other = copied("other");
  EXPECT_EQ(why_not_in_place(store, home), "");
  insist_on_place(store, home);
  insist_on_place(store, home);
  EXPECT_THROW(insist_on_place(store, other), Error);
  EXPECT_NE(why_not_in_place(store, other), "");
}

TEST_F(PlaceTest, ALinkToTheDirectoryIsTheSamePlace) {
  insist_on_place(store, home);
  fs::create_directory_symlink(home.var(), dir.path() / "link");
  EXPECT_NO_THROW(insist_on_place(store, Home{dir.path() / "link"}));
}

TEST_F(PlaceTest, IsAdoptedOnlyWhenTheOriginalIsAway) {
  insist_on_place(store, home);
  const auto other = copied("other");
  Store theirs{other.database()};
  EXPECT_THROW(adopt(theirs, other), Error);
  fs::rename(home.var(), dir.path() / "away");
  EXPECT_THROW(insist_on_place(theirs, other), Error);
  adopt(theirs, other);
  EXPECT_NO_THROW(insist_on_place(theirs, other));
}

TEST_F(PlaceTest, WhoIsAdoptedHasItsRepositoriesWhereTheyAre) {
  insist_on_place(store, home);
  fs::create_directories(home.repository() / "1000000");
  const auto with = copied("with");
  fs::remove_all(home.var() / "state.db");
  Store theirs{with.database()};
  adopt(theirs, with);  // those of before are there, and used
  EXPECT_EQ(with.datastore(default_datastore).at("BASE_PATH"), home.repository());
  fs::rename(home.var(), dir.path() / "away");
  EXPECT_THROW(with.datastore(default_datastore), Error);
  adopt(theirs, with);
  EXPECT_EQ(with.datastore(default_datastore).at("BASE_PATH"), with.repository());
}

}  // namespace
}  // namespace state
