// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/flatten_plan.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace restic {
namespace {

Snapshot snapshot(const std::string& id, std::int64_t time = 0,
                  const std::vector<std::string>& tags = {}) {
  return {.id = id + std::string(64 - id.size(), '0'), .paths = {}, .tags = tags, .time = time};
}

std::string full(const std::string& id) { return snapshot(id).id; }

const Chain chain = Chain::parse("0:aaaaaaaa,1:bbbbbbbb,2:cccccccc,3:dddddddd");
const std::vector<Snapshot> all{snapshot("aaaaaaaa", 10), snapshot("bbbbbbbb", 20),
                                snapshot("cccccccc", 30), snapshot("dddddddd", 40),
                                snapshot("eeeeeeee", 50)};

std::vector<Snapshot> with(std::vector<Snapshot> list, const Snapshot& one) {
  list.push_back(one);
  return list;
}
std::vector<Snapshot> without(std::vector<Snapshot> list, const std::string& id) {
  std::erase_if(list, [&](const auto& one) { return one.id.starts_with(id); });
  return list;
}

bool is_whole(const Snapshot&) { return true; }
bool is_not(const Snapshot&) { return false; }

std::string sources(const FlattenPlan& plan) {
  std::string text;
  for (const auto& one : plan.sources)
    text += std::to_string(one.increment) + one.snapshot.id.substr(0, 1);
  return text;
}

TEST(FlattenPlan, MergesTheOldestAndKeepsTheLast) {
  const auto plan = plan_flatten(all, chain, 2, is_whole);
  EXPECT_EQ(sources(plan), "0a1b2c");
  EXPECT_EQ(plan.increment(), 2);
  EXPECT_EQ(plan.kept.text(), "3:dddddddd");
  EXPECT_EQ(plan.tag, "vmvault-flat-aaaaaaaa-bbbbbbbb-cccccccc");
  EXPECT_EQ(plan.obsolete, (std::vector{full("aaaaaaaa"), full("bbbbbbbb"), full("cccccccc")}));
  EXPECT_FALSE(plan.done);
  EXPECT_EQ(plan.time, 30);
  EXPECT_EQ(sources(plan_flatten(all, chain, 1, is_whole)), "0a1b2c3d");
  EXPECT_EQ(sources(plan_flatten(all, chain, 3, is_whole)), "0a1b");
}

TEST(FlattenPlan, GoesByTheChainAndNotByTheTimes) {
  auto mixed = all;
  mixed[0].time = 99;
  mixed[2].time = 45;
  const auto plan = plan_flatten(mixed, chain, 2, is_whole);
  EXPECT_EQ(sources(plan), "0a1b2c");
  EXPECT_EQ(plan.time, 39);  // before the next one: others go by the times
}

TEST(FlattenPlan, NamesWhatIsMissing) {
  for (const std::string gone : {"aaaaaaaa", "cccccccc", "dddddddd"}) try {
      plan_flatten(without(all, gone), chain, 2, is_whole);
      FAIL() << gone;
    } catch (const Error& error) {
      EXPECT_NE(std::string{error.what()}.find(gone), std::string::npos) << error.what();
    }
}

TEST(FlattenPlan, GoesOnWithOneThatMergedMore) {
  const auto flat = snapshot("ffffffff", 30, {"one-12", "vmvault-flat-aaaaaaaa-bbbbbbbb-cccccccc"});
  const auto plan = plan_flatten(with(without(all, "aaaaaaaa"), flat), chain, 3, is_whole);
  EXPECT_EQ(plan.increment(), 2);
  ASSERT_TRUE(plan.done);
  EXPECT_EQ(plan.kept.text(), "3:dddddddd");
  EXPECT_EQ(plan_flatten(with(all, flat), chain, 3, is_whole).increment(), 1) << "nothing is gone";
}

TEST(FlattenPlan, FindsWhatWasStoredAlready) {
  const auto flat = snapshot("ffffffff", 30, {"one-12", "vmvault-flat-aaaaaaaa-bbbbbbbb-cccccccc"});
  auto plan = plan_flatten(with(all, flat), chain, 2, is_whole);
  ASSERT_TRUE(plan.done);
  EXPECT_EQ(plan.done->id, flat.id);
  EXPECT_EQ(plan.increment(), 2);
  EXPECT_EQ(plan.obsolete, (std::vector{full("aaaaaaaa"), full("bbbbbbbb"), full("cccccccc")}));
  // Some of the old ones are gone already, or all.
  plan = plan_flatten(with(without(all, "bbbbbbbb"), flat), chain, 2, is_whole);
  EXPECT_TRUE(plan.done);
  EXPECT_EQ(plan.obsolete, (std::vector{full("aaaaaaaa"), full("cccccccc")}));
  plan = plan_flatten({snapshot("dddddddd"), flat}, chain, 2, is_whole);
  EXPECT_TRUE(plan.done);
  EXPECT_TRUE(plan.obsolete.empty());
}

TEST(FlattenPlan, DoesNotBelieveInHalfASnapshot) {
  const auto flat = snapshot("ffffffff", 30, {"vmvault-flat-aaaaaaaa-bbbbbbbb-cccccccc"});
  const auto plan = plan_flatten(with(all, flat), chain, 2, is_not);
  EXPECT_FALSE(plan.done);
  EXPECT_EQ(sources(plan), "0a1b2c");
  EXPECT_EQ(plan.obsolete.front(), flat.id);
  EXPECT_THROW(plan_flatten({snapshot("dddddddd"), flat}, chain, 2, is_not), Error);
}

TEST(FlattenPlan, GoesOnFromWhereAShorterOneEnded) {
  const auto flat = snapshot("ffffffff", 20, {"vmvault-flat-aaaaaaaa-bbbbbbbb"});
  const auto plan =
      plan_flatten({snapshot("cccccccc", 30), snapshot("dddddddd", 40), flat}, chain, 2, is_whole);
  EXPECT_FALSE(plan.done);
  EXPECT_EQ(sources(plan), "1f2c");
  EXPECT_EQ(plan.tag, "vmvault-flat-aaaaaaaa-bbbbbbbb-cccccccc");
  EXPECT_EQ(plan.obsolete, (std::vector{flat.id, full("cccccccc")}));
}

TEST(FlattenPlan, LeavesOtherChainsAlone) {
  const auto other = snapshot("ffffffff", 20, {"vmvault-flat-aaaaaaaa-eeeeeeee"});
  const auto longer =
      snapshot("99999999", 20, {"vmvault-flat-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd"});
  const auto plan = plan_flatten(with(with(all, other), longer), chain, 2, is_whole);
  EXPECT_FALSE(plan.done);
  EXPECT_EQ(plan.obsolete.size(), 3U);
}

TEST(FlattenPlan, KnowsWhatARemovalHasToTakeAlong) {
  auto later = with(all, snapshot("ffffffff", 20, {"vmvault-flat-aaaaaaaa-bbbbbbbb"}));
  later = with(later, snapshot("99999999", 20, {"vmvault-flat-aaaaaaaa-eeeeeeee"}));
  const std::vector of_it{full("aaaaaaaa"), full("bbbbbbbb"), full("cccccccc"), full("dddddddd")};
  const auto with_left = [&](std::vector<std::string> left) {
    left.insert(left.begin(), of_it.begin(), of_it.end());
    return left;
  };
  EXPECT_EQ(all_of_chain(later, chain), with_left({full("ffffffff")}));
  later[2].tags = {"vmvault-flat-eeeeeeee-77777777"};
  EXPECT_EQ(all_of_chain(later, chain), with_left({full("ffffffff"), full("eeeeeeee")}));
  EXPECT_EQ(all_of_chain(all, chain), of_it);
  EXPECT_TRUE(all_of_chain({later.back()}, chain).empty());
}

TEST(FlattenPlan, RemovesWhatAnEarlierOneCouldNot) {
  auto later = all;
  later[1].tags = {"vmvault-flat-eeeeeeee-77777777"};  // b stands for e, which is still there
  const auto plan = plan_flatten(later, chain, 2, is_whole);
  EXPECT_EQ(plan.obsolete,
            (std::vector{full("aaaaaaaa"), full("eeeeeeee"), full("bbbbbbbb"), full("cccccccc")}));
}

// What as_stored() makes of the chain when only these are there.
std::string stored(const std::vector<Snapshot>& there, const std::string& text) {
  return as_stored(there, Chain::parse(text)).text();
}

const Snapshot c = snapshot("cccccccc", 30), d = snapshot("dddddddd", 40);
const Snapshot abc = snapshot("ffffffff", 30, {"vmvault-flat-aaaaaaaa-bbbbbbbb-cccccccc"});
const Snapshot abcd = snapshot(
    "77777777", 40, {"vmvault-flat-ffffffff-dddddddd", "vmvault-was-aaaaaaaa-bbbbbbbb-cccccccc"});

TEST(AsStored, IsTheChainWhereAllOfItIsThere) {
  EXPECT_EQ(stored(all, chain.text()), chain.text());
  EXPECT_EQ(stored(with(all, abc), chain.text()), chain.text());
}

TEST(AsStored, BeginsWithWhatHasTheIncrementsThatAreGone) {
  EXPECT_EQ(stored({d, abc}, chain.text()), "2:ffffffff,3:dddddddd");
  EXPECT_EQ(stored({d, abc}, "0:aaaaaaaa,1:bbbbbbbb,2:cccccccc"), "2:ffffffff");
  EXPECT_EQ(stored({c, d, abc}, chain.text()), "2:ffffffff,3:dddddddd") << "cut off";
}

TEST(AsStored, FollowsSeveralFlattens) {
  EXPECT_EQ(stored({abcd}, chain.text()), "3:77777777");
  EXPECT_EQ(stored({abcd, abc}, chain.text()), "3:77777777");
  EXPECT_EQ(stored({abcd}, "2:ffffffff,3:dddddddd"), "3:77777777");
  EXPECT_EQ(stored({abcd, snapshot("99999999")}, chain.text() + ",4:99999999"),
            "3:77777777,4:99999999");
}

TEST(AsStored, NeverTakesWhatHoldsLaterIncrements) {
  for (const std::string text : {"0:aaaaaaaa", "0:aaaaaaaa,1:bbbbbbbb"})
    EXPECT_EQ(stored({d, abc}, text), text);
  EXPECT_EQ(stored({abcd}, "0:aaaaaaaa,1:bbbbbbbb,2:cccccccc"), "0:aaaaaaaa,1:bbbbbbbb,2:cccccccc");
}

TEST(AsStored, NeverTakesWhatIsOfAnotherChain) {
  for (const auto* tag :
       {"aaaaaaaa-cccccccc", "bbbbbbbb-cccccccc", "eeeeeeee-aaaaaaaa-cccccccc", "cccccccc",
        "eeeeeeee-aaaaaaaa", "cccccccc-aaaaaaaa", "eeeeeeee-99999999", "", "-", "-cccccccc-"}) {
    const auto other = snapshot("ffffffff", 30, {std::string{"vmvault-flat-"} + tag});
    EXPECT_EQ(stored({d, other}, chain.text()), chain.text()) << tag;
  }
}

TEST(AsStored, LeavesWhatIsMissingForAnotherReason) {
  EXPECT_EQ(stored({abc}, chain.text()), "2:ffffffff,3:dddddddd");
  EXPECT_EQ(
      stored({abc, snapshot("eeeeeeee", 50, {"vmvault-flat-aaaaaaaa-bbbbbbbb"})}, chain.text()),
      "2:ffffffff,3:dddddddd");
  EXPECT_EQ(stored({d}, chain.text()), chain.text());
}

TEST(MergedInto, KnowsWhatFlattensHaveMerged) {
  for (const auto* gone : {"aaaaaaaa", "cccccccc", "ffffffff", "dddddddd"}) {
    const std::vector<Snapshot> there{snapshot("99999999"), abcd};
    ASSERT_TRUE(merged_into(there, gone)) << gone;
    EXPECT_EQ(merged_into(there, gone)->id, abcd.id);
  }
  EXPECT_FALSE(merged_into({abcd}, "eeeeeeee"));
}

TEST(FlattenPlan, GoesOnFromWhatAnOlderStateDoesNotKnow) {
  const auto e = snapshot("eeeeeeee", 50);
  const auto older = Chain::parse(chain.text() + ",4:eeeeeeee");
  auto plan = plan_flatten({abcd, e}, older, 3, is_whole);
  ASSERT_TRUE(plan.done);
  EXPECT_EQ(plan.done->id, abcd.id);
  EXPECT_EQ(plan.increment(), 3);
  EXPECT_EQ(plan.kept.text(), "4:eeeeeeee");
  EXPECT_TRUE(plan.obsolete.empty());

  plan = plan_flatten({abcd, e}, older, 1, is_whole);
  EXPECT_EQ(sources(plan), "374e");
  EXPECT_TRUE(plan.sources[0].merged);
  EXPECT_FALSE(plan.sources[1].merged);
  EXPECT_EQ(plan.obsolete, (std::vector{abcd.id, e.id}));
  EXPECT_EQ(all_of_chain({abcd, e}, older), (std::vector{e.id, abcd.id}));
}

// What `restic tag` or `restic copy` makes of a snapshot.
Snapshot known_by_another(const std::string& id, Snapshot one) {
  one.original = one.original.empty() ? one.id : one.original;
  one.id = full(id);
  return one;
}

TEST(FlattenPlan, KnowsSnapshotsByTheFirstIdThatTheyHad) {
  std::vector<Snapshot> there;
  for (const auto& one : all)
    there.push_back(known_by_another(std::string(8, one.id[0] == 'a' ? '1' : one.id[0]), one));
  auto plan = plan_flatten(there, chain, 2, is_whole);
  EXPECT_EQ(sources(plan), "011b2c");
  EXPECT_EQ(plan.tag, "vmvault-flat-aaaaaaaa-bbbbbbbb-cccccccc");
  EXPECT_EQ(plan.obsolete, (std::vector{full("11111111"), full("bbbbbbbb"), full("cccccccc")}));

  plan = plan_flatten(with(all, known_by_another("11111111", all[0])), chain, 2, is_whole);
  EXPECT_EQ(sources(plan), "0a1b2c");
  EXPECT_EQ(plan.obsolete,
            (std::vector{full("aaaaaaaa"), full("11111111"), full("bbbbbbbb"), full("cccccccc")}))
      << "the copy goes, too";
  EXPECT_EQ(all_of_chain(with(there, known_by_another("22222222", all[3])), chain),
            (std::vector{full("11111111"), full("bbbbbbbb"), full("cccccccc"), full("dddddddd"),
                         full("22222222")}));
}

TEST(FlattenPlan, WhatItHasStoredMayHaveAnotherId) {
  const auto flat = known_by_another("11111111", abc);
  const auto plan = plan_flatten({flat, d}, chain, 2, is_whole);
  ASSERT_TRUE(plan.done);
  EXPECT_EQ(plan.done->id, flat.id);
  EXPECT_TRUE(plan.obsolete.empty());
  EXPECT_EQ(stored({flat, d}, chain.text()), "2:ffffffff,3:dddddddd");
  EXPECT_EQ(plan_flatten({flat, d}, chain, 1, is_whole).ancestors_tag, "vmvault-was-ffffffff");
}

TEST(FlattenPlan, HandsDownWhatItsSourcesWereMadeOf) {
  const auto e = snapshot("eeeeeeee", 50);
  const auto plan = plan_flatten({abcd, e}, Chain::parse("3:77777777,4:eeeeeeee"), 1, is_whole);
  EXPECT_EQ(plan.tag, "vmvault-flat-77777777-eeeeeeee");
  EXPECT_EQ(plan.ancestors_tag, "vmvault-was-aaaaaaaa-bbbbbbbb-cccccccc-ffffffff-dddddddd");
  EXPECT_EQ(
      plan_flatten({abc, d}, Chain::parse("2:ffffffff,3:dddddddd"), 1, is_whole).ancestors_tag,
      "vmvault-was-aaaaaaaa-bbbbbbbb-cccccccc");
  EXPECT_EQ(plan_flatten({abc, d}, chain, 1, is_whole).ancestors_tag, "vmvault-was-ffffffff");
  EXPECT_TRUE(plan_flatten(all, chain, 2, is_whole).ancestors_tag.empty());

  auto old = abcd;
  old.tags[1] = "vmvault-was";
  for (int i = 0; i < 200; ++i) old.tags[1] += "-" + std::to_string(10000000 + i);
  const auto tag =
      plan_flatten({old, e}, Chain::parse("3:77777777,4:eeeeeeee"), 1, is_whole).ancestors_tag;
  EXPECT_EQ(tag.size(), 11 + 100 * 9);
  EXPECT_TRUE(tag.ends_with("-10000199-ffffffff-dddddddd"));
}

}  // namespace
}  // namespace restic
