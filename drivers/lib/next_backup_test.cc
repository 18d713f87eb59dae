// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/next_backup.h"

#include <gtest/gtest.h>

namespace state {
namespace {

ImageRecord chain() {
  ImageRecord image{.id = 3, .vm = 1'000'000, .datastore = 100, .mode = Mode::increment};
  image.disks = {0, 1};
  image.increments = {{.id = 0, .source = "aa"}, {.id = 4, .source = "bb"}};
  return image;
}

Wish wish() { return {.mode = Mode::increment, .disks = {1, 0}, .datastore = 100, .full = false}; }

void expect_new(const NextBackup& next) {
  EXPECT_FALSE(next.image);
  EXPECT_EQ(next.last_increment, -1);
  EXPECT_EQ(next.increment(), 0);
  EXPECT_NE(next.why, "");
}

TEST(NextBackup, BeginsAChainWhereThereIsNone) {
  const auto next = next_backup(std::nullopt, wish());
  EXPECT_FALSE(next.image);
  EXPECT_EQ(next.increment(), 0);
  EXPECT_EQ(next.why, "");
}

TEST(NextBackup, ContinuesTheActiveChainAfterItsLastIncrement) {
  const auto next = next_backup(chain(), wish());
  EXPECT_EQ(next.image, 3);
  EXPECT_EQ(next.last_increment, 4);
  EXPECT_EQ(next.increment(), 5);
}

TEST(NextBackup, BeginsAnewWhenAskedTo) {
  auto asked = wish();
  asked.full = true;
  expect_new(next_backup(chain(), asked));
}

TEST(NextBackup, BeginsAnewWhenADiskCameOrWent) {
  for (const auto& disks : {std::vector{0}, std::vector{0, 1, 2}, std::vector{0, 2}}) {
    auto other = wish();
    other.disks = disks;
    expect_new(next_backup(chain(), other));
  }
}

TEST(NextBackup, BeginsAnewOnAnotherDatastore) {
  auto other = wish();
  other.datastore = 101;
  expect_new(next_backup(chain(), other));
}

TEST(NextBackup, BeginsAnewWhenNoDiskCanTrackChanges) {
  auto raw = wish();
  raw.mode = Mode::full;
  expect_new(next_backup(chain(), raw));
}

TEST(NextBackup, NeverAddsToAnImageOfAnotherUser) {
  auto given = wish();
  given.owner = 4;
  const auto next = next_backup(chain(), given);
  expect_new(next);
  EXPECT_NE(next.why.find("another user"), std::string::npos) << next.why;
  auto theirs = chain();
  theirs.owner = 4;
  EXPECT_EQ(next_backup(theirs, given).image, 3);
  expect_new(next_backup(theirs, wish()));
}

TEST(NextBackup, NeverAddsToAChainThatIsCorrupt) {
  auto damaged = chain();
  damaged.increments.front().damage = "disk 0: its bytes are others";
  const auto next = next_backup(damaged, wish());
  expect_new(next);
  EXPECT_NE(next.why.find("increment 0"), std::string::npos) << next.why;
}

TEST(NextBackup, NeverAddsToAnImageThatIsBeingDeleted) {
  auto dying = chain();
  dying.state = ImageState::deleting;
  expect_new(next_backup(dying, wish()));
}

}  // namespace
}  // namespace state
