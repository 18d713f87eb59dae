// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/exchange.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/error.h"
#include "common/file.h"
#include "common/test_env.h"

namespace fs = std::filesystem;

namespace host {
namespace {

// A directory of a VM with places "a" (a file), "b" (to become empty) and "c" (to be made).
class Places : public testing::Test {
 protected:
  Places() {
    write_file(at("a"), "old a");
    write_file(at("b"), "old b");
    prepare_exchange(vm_, {.vm_id = 12, .places = {{at("a")}, {at("b")}, {at("c")}}});
    write_file(new_of(at("a")), "new a");
    write_file(new_of(at("c")), "new c");
  }
  fs::path at(const char* name) const { return vm_ / name; }
  void expect_new() const {
    EXPECT_EQ(read_file(at("a")), "new a");
    EXPECT_FALSE(fs::exists(at("b")));
    EXPECT_EQ(read_file(at("c")), "new c");
    expect_files(2);
  }
  void expect_old() const {
    EXPECT_EQ(read_file(at("a")), "old a");
    EXPECT_EQ(read_file(at("b")), "old b");
    EXPECT_FALSE(fs::exists(at("c")));
  }
  void expect_files(long count) const {
    EXPECT_EQ(std::distance(fs::directory_iterator{vm_}, {}), count);
  }

  const TempDir dir_;
  const fs::path vm_ = dir_.path() / "vm";
  const bool made_ = fs::create_directory(vm_);
  const ScopedEnv var_{"VMVAULT_VAR", (dir_.path() / "var").string()};
};

}  // namespace

TEST_F(Places, GetTheirNewFiles) {
  swap_places(vm_);
  EXPECT_EQ(read_file(old_of(at("a"))), "old a") << "their removal may take hours";
  EXPECT_EQ(end_exchange(vm_), Outcome::restored);
  expect_new();
  EXPECT_EQ(end_exchange(vm_), Outcome::restored);
}

TEST_F(Places, AreAsBeforeWhenItEndsEarly) {
  EXPECT_EQ(end_exchange(vm_), Outcome::undone);
  expect_old();
  expect_files(2);
}

TEST_F(Places, AreAsBeforeWhenTheSwapDied) {
  auto exchange = *Exchange::load(vm_);
  exchange.phase = Exchange::Phase::swapping;
  exchange.places[0].had = exchange.places[1].had = true;
  exchange.save(vm_);
  fs::rename(at("a"), old_of(at("a")));
  fs::rename(new_of(at("a")), at("a"));
  fs::rename(at("b"), old_of(at("b")));
  fs::rename(new_of(at("c")), at("c"));
  settle_exchange(vm_);
  expect_old();
  settle_exchange(vm_);  // again: nothing more happens
  EXPECT_EQ(end_exchange(vm_), Outcome::undone);
  expect_old();
  expect_files(2);
}

TEST_F(Places, AreNewWhenOnlyTheOldOnesHadToGo) {
  auto exchange = *Exchange::load(vm_);
  exchange.phase = Exchange::Phase::done;
  exchange.places[0].had = exchange.places[1].had = true;
  exchange.save(vm_);
  fs::rename(at("a"), old_of(at("a")));
  fs::rename(new_of(at("a")), at("a"));
  fs::rename(at("b"), old_of(at("b")));
  fs::rename(new_of(at("c")), at("c"));
  EXPECT_EQ(end_exchange(vm_), Outcome::restored);
  expect_new();
}

TEST_F(Places, LosesNoOldFileOfAnEarlierOne) {
  write_file(old_of(at("a")), "older a");
  EXPECT_THROW(swap_places(vm_), Error);
  EXPECT_EQ(end_exchange(vm_), Outcome::undone);
  expect_old();
  EXPECT_EQ(read_file(old_of(at("a"))), "older a");
}

TEST_F(Places, AreUndoneWhenOneFails) {
  auto exchange = *Exchange::load(vm_);
  exchange.places.push_back({dir_.path() / "gone/d"});
  exchange.save(vm_);
  EXPECT_THROW(swap_places(vm_), Error);
  expect_old();
}

TEST(ExchangeJournal, IsReadAsWritten) {
  const rbd::Image image{
      .pool = "one", .name_space = "", .name = "x", .user = "u", .conf = "/c", .key_file = ""};
  const Exchange exchange{.vm_id = 7,
                          .phase = Exchange::Phase::undone,
                          .places = {{"/a b", true},
                                     {.path = {}, .image = image, .tag = "0badcafe"},
                                     {.path = {},
                                      .tag = "0badcafe",
                                      .volume = lvm::parse_volume("vg/lv"),
                                      .pool = "pool",
                                      .active = true}}};
  EXPECT_EQ(Exchange::parse(exchange.to_text()).to_text(), exchange.to_text());
  EXPECT_EQ(Exchange::parse(exchange.to_text()).places[2].volume, exchange.places[2].volume);
  for (const auto* text :
       {"", "{}", R"({"version":2})", R"({"version":1,"vm":1,"phase":"x","places":[]})",
        R"({"version":1,"vm":1,"phase":"done","places":[{"path":"a","had":true}]})",
        R"({"version":1,"vm":1,"phase":"done","places":[{"image":"a","had":true}]})"})
    EXPECT_THROW(Exchange::parse(text), Error) << text;
}

}  // namespace host
