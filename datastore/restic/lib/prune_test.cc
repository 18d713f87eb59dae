// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/prune.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"
#include "common/test_env.h"

namespace restic {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

Datastore datastore(const std::string& attributes) {
  const Xml xml{
      "<DATASTORE><ID>100</ID><BASE_PATH>/b</BASE_PATH><TEMPLATE><RESTIC_PASSWORD>p"
      "</RESTIC_PASSWORD><RESTIC_BACKEND>LOCAL</RESTIC_BACKEND>" +
      attributes + "</TEMPLATE></DATASTORE>"};
  return Datastore{xml.root()};
}

PrunePolicy policy(const std::string& word, const std::string& window = "") {
  return PrunePolicy{datastore("<RESTIC_PRUNE>" + word + "</RESTIC_PRUNE><RESTIC_PRUNE_WINDOW>" +
                               window + "</RESTIC_PRUNE_WINDOW>")};
}

TEST(Window, IsAPartOfTheDay) {
  const auto night = Window::parse("1:00-05:30");
  EXPECT_FALSE(night.holds(minutes{59}));
  EXPECT_TRUE(night.holds(hours{1}));
  EXPECT_TRUE(night.holds(hours{5} + minutes{29}));
  EXPECT_FALSE(night.holds(hours{5} + minutes{30}));
}

TEST(Window, MayGoOnPastMidnight) {
  const auto night = Window::parse("22:00-06:00");
  EXPECT_TRUE(night.holds(hours{23}));
  EXPECT_TRUE(night.holds(minutes{0}));
  EXPECT_FALSE(night.holds(hours{6}));
  EXPECT_FALSE(night.holds(hours{12}));
  EXPECT_TRUE(Window::parse("00:00-24:00").holds(hours{23} + minutes{59}));
}

TEST(Window, RefusesWhatIsNone) {
  for (const auto* text : {"", "22:00", "22-06", "22:00-6", "25:00-06:00", "22:60-06:00", "a-b",
                           "-1:00-2:00", "24:01-25:00", "22:00-06:00-07:00"})
    EXPECT_THROW(Window::parse(text), BadRequest) << text;
}

TEST(PrunePolicy, SaysWhen) {
  EXPECT_TRUE(PrunePolicy{datastore("")}.now());
  EXPECT_TRUE(policy("NOW").now());
  EXPECT_FALSE(policy("now").window_is_open());
  EXPECT_TRUE(policy("window", "00:00-24:00").now());
  EXPECT_TRUE(policy("window", "00:00-24:00").window_is_open());
  EXPECT_FALSE(policy("window", "00:00-00:00").now());
  EXPECT_FALSE(policy("never", "00:00-24:00").now());
  EXPECT_FALSE(policy("never", "00:00-24:00").window_is_open());
}

TEST(PrunePolicy, TheDatastoreComesBeforeTheSettings) {
  const ScopedEnv setting{"VMVAULT_RESTIC_PRUNE", "never"};
  EXPECT_FALSE(PrunePolicy{datastore("")}.now());
  EXPECT_TRUE(policy("now").now());
}

TEST(PrunePolicy, RefusesNonsense) {
  EXPECT_THROW(policy("later"), BadRequest);
  EXPECT_THROW(policy("window", "night"), BadRequest);
  EXPECT_THROW(PrunePolicy{datastore("<RESTIC_PRUNE_MAX_UNUSED>5; rm</RESTIC_PRUNE_MAX_UNUSED>")},
               BadRequest);
  EXPECT_THROW(
      PrunePolicy{datastore("<RESTIC_PRUNE_MAX_REPACK>unlimited</RESTIC_PRUNE_MAX_REPACK>")},
      BadRequest);
}

TEST(PruneNotes, AreFoundByTheirDatastore) {
  const TempDir directory;
  const ScopedEnv var{"VMVAULT_VAR", directory.path()};
  EXPECT_TRUE(noted_for_prune(100).empty());
  note_prune(Repository{datastore(""), "12"});
  note_prune(Repository{datastore(""), "job_4"});
  EXPECT_EQ(noted_for_prune(100), (std::vector<std::string>{"12", "job_4"}));
  EXPECT_TRUE(noted_for_prune(10).empty());
}

}  // namespace
}  // namespace restic
