// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/facts.h"

#include <gtest/gtest.h>

#include "drivers/lib/test_attempt.h"

namespace state {
namespace {

struct Begun {
  int increment = 0;
  std::int64_t started = 0;
  std::optional<int> image{};
};

int backup(Store& store, int vm, const Begun& begun, const std::string& source,
           std::uint64_t bytes) {
  const auto attempt = store.begin(test_increment(vm, begun.started, begun.image, begun.increment));
  return store.succeed(attempt, {.id = begun.increment,
                                 .source = source,
                                 .bytes = bytes,
                                 .date = begun.started,
                                 .dir = "/d"});
}

TEST(VmFacts, CountsWhatThereIsOfEachMachine) {
  auto store = Store::nothing();
  store.put_datastore({.id = 100, .name = "default", .ds_mad = "restic"});
  const int web = store.vm_for("u-1", "web").id;
  const int idle = store.vm_for("u-2", "idle").id;
  const int image = backup(store, web, {.increment = 0, .started = 1000}, "a0", 500);
  backup(store, web, {.increment = 1, .started = 2000, .image = image}, "a1", 7);
  const auto bad = store.begin(test_increment(web, 3000, image, 2));
  store.fail(bad, "no space");

  const auto all = vm_facts(store, 9000);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].vm.id, web);
  EXPECT_EQ(all[0].images, 1);
  EXPECT_EQ(all[0].increments, 2);
  EXPECT_EQ(all[0].bytes, 507U);
  EXPECT_EQ(all[0].newest, 2000);
  EXPECT_EQ(all[0].newest_bytes, 7U);
  EXPECT_EQ(all[0].last_error, "no space");
  EXPECT_TRUE(all[0].duration.has_value());
  EXPECT_EQ(all[1].vm.id, idle);
  EXPECT_EQ(all[1].increments, 0);
  EXPECT_FALSE(all[1].newest || all[1].duration || all[1].last_ended);

  store.note_check(image, 1, {}, "disk 0: bytes are wrong");
  EXPECT_EQ(vm_facts(store, 9000)[0].newest, 1000);
  EXPECT_EQ(vm_facts(store, 9000)[0].newest_bytes, 500U);
  EXPECT_EQ(store.newest_backups({web}, 9000), (std::map<int, std::int64_t>{{web, 1000}}));
  store.note_check(image, 0, {}, "disk 0: bytes are wrong");
  EXPECT_EQ(vm_facts(store, 9000)[0].increments, 2);
  EXPECT_FALSE(vm_facts(store, 9000)[0].newest.has_value());

  store.mark_deleting(image);
  EXPECT_EQ(vm_facts(store, 9000)[0].increments, 0);
  EXPECT_FALSE(vm_facts(store, 9000)[0].newest.has_value());
}

// A clock that was ahead, and was put right: what it had dated comes to pass one day.
TEST(VmFacts, TheNewestIsTheOneThatWasMadeLast) {
  auto store = Store::nothing();
  store.put_datastore({.id = 100, .name = "default", .ds_mad = "restic"});
  const int web = store.vm_for("u-1", "web").id;
  const int ahead = store.vm_for("u-2", "ahead").id;
  backup(store, ahead, {.increment = 0, .started = 5000}, "b0", 1);
  const int image = backup(store, web, {.increment = 0, .started = 1000}, "a0", 1);
  // With an image of its own in between, as `vmvault backup --full` makes one.
  auto full = test_attempt(web, 1500);
  store.succeed(store.begin(full),
                {.id = 0, .source = "f0", .bytes = 2, .date = 1500, .dir = "/d"});
  backup(store, web, {.increment = 1, .started = 5000, .image = image}, "a1", 3);
  backup(store, web, {.increment = 2, .started = 2000, .image = image}, "a2", 4);
  store.fail(store.begin(test_increment(web, 2500, image, 3)), "no space");

  using Newest = std::map<int, std::int64_t>;
  EXPECT_EQ(store.newest_backups({web, ahead}, 3000), (Newest{{web, 2000}}));
  EXPECT_EQ(store.newest_backups({web, ahead}, 6000), (Newest{{web, 2000}, {ahead, 5000}}));
  for (const std::int64_t now : {3000, 6000}) {
    EXPECT_EQ(vm_facts(store, now)[0].newest, 2000);
    EXPECT_EQ(vm_facts(store, now)[0].newest_bytes, 4U);
  }
  EXPECT_FALSE(vm_facts(store, 3000)[1].newest.has_value());

  store.note_check(image, 2, {}, "disk 0: bytes are wrong");
  EXPECT_EQ(store.newest_backups({web}, 3000), (Newest{{web, 1500}}));
  EXPECT_EQ(vm_facts(store, 3000)[0].newest, 1500);
  EXPECT_EQ(vm_facts(store, 3000)[0].newest_bytes, 2U);
}

}  // namespace
}  // namespace state
