// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/known_as.h"

#include <gtest/gtest.h>

namespace restic {
namespace {

Snapshot snapshot(const std::string& id, const std::string& original = "") {
  return {.id = id, .paths = {}, .tags = {}, .time = 0, .original = original};
}

// The ids that all_known_as() gives, each with a blank behind it.
std::string ids(const std::vector<Snapshot>& all, const std::string& id) {
  std::string text;
  for (const auto* one : all_known_as(all, id)) text += one->id + " ";
  return text;
}

TEST(KnownAs, TheIdOfNowOrTheFirst) {
  const std::vector all{snapshot("aa01"), snapshot("bb01", "cc01")};
  EXPECT_EQ(ids(all, "aa"), "aa01 ");
  EXPECT_EQ(ids(all, "bb01"), "bb01 ");
  EXPECT_EQ(ids(all, "cc"), "bb01 ");
  EXPECT_EQ(ids(all, "dd"), "");
  EXPECT_EQ(ids(all, ""), "");
  EXPECT_EQ(first_id(all[0]), "aa01");
  EXPECT_EQ(first_id(all[1]), "cc01");
}

TEST(KnownAs, TheCopiesComeBehind) {
  const std::vector all{snapshot("bb01", "aa01"), snapshot("aa01"), snapshot("bb02", "aa01")};
  EXPECT_EQ(ids(all, "aa"), "aa01 bb01 bb02 ");
  EXPECT_EQ(known_as(all, "aa"), &all[1]);
  EXPECT_EQ(ids({all[0], all[2]}, "aa01"), "bb01 bb02 ");
}

TEST(KnownAs, DigitsOfSeveralAreThoseOfNone) {
  EXPECT_EQ(ids({snapshot("aa01"), snapshot("aa02")}, "aa"), "");
  EXPECT_EQ(ids({snapshot("bb01", "aa01"), snapshot("bb02", "aa02")}, "aa"), "");
  EXPECT_EQ(known_as({snapshot("bb01", "aa01"), snapshot("bb02", "aa02")}, "aa"), nullptr);
}

TEST(KnownAs, WhatSaysThatItWasAnotherDoesNotTakeItsPlace) {
  EXPECT_EQ(ids({snapshot("bb01", "aa02"), snapshot("aa01")}, "aa"), "aa01 ");
  EXPECT_EQ(ids({snapshot("bb01", "aa"), snapshot("aa01")}, "aa"), "aa01 ");
}

}  // namespace
}  // namespace restic
