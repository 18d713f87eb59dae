// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/manager.h"

#include <gtest/gtest.h>

#include "common/base64.h"
#include "common/error.h"
#include "drivers/lib/driver_record.h"
#include "drivers/lib/settle.h"
#include "drivers/vmvaultd/lib/test_zone.h"

namespace vmvaultd {
namespace {

constexpr Time begin = 1'790'596'800;  // Monday, 2026-09-28 12:00 UTC

class ManagerTest : public testing::Test {
 protected:
  ManagerTest() {
    home.prepare();
    store.put_datastore({.id = 100, .name = "default", .ds_mad = "restic"});
    host =
        pools.put({.host = {}, .name = "localhost", .uri = "test:///default", .emulator_cpus = ""});
    settings.policy.limits = {.all = 2, .host = 0, .datastore = 0};
    settings.rpo = day;
    settings.datastore = 100;
  }

  void boot() {
    asked.clear();
    manager.reset();
    manager.emplace(
        store, home, settings,
        Ways{.prepare = [this](int vm, int, bool) { preparing.push_back(vm); },
             .ask_vmm = [this](auto& verb, auto id, auto&) { return ask(verb, id, vmm_is_ready); },
             .ask_datastore =
                 [this](auto& verb, auto id, auto& payload) {
                   last_payload = payload;
                   return ask(verb, id, datastore_is_ready);
                 },
             .log = {}},
        now);
  }
  bool ask(const std::string& verb, std::int64_t id, bool ready) {
    if (ready) asked.push_back(verb + " " + std::to_string(id));
    return ready;
  }

  // So many machines, each due for a backup.
  void machines(int count) {
    std::vector<Machine> all;
    for (int i = 0; i < count; ++i)
      all.push_back({.uuid = "u" + std::to_string(i), .name = "vm" + std::to_string(i)});
    manager->machines(host, all, now);
    now += day;
    advance();
  }
  void advance() {
    while (true) {
      manager->advance(now);
      if (const auto next = manager->next(); !next || *next > now) return;
    }
  }

  // The preparation of all that wait for it: their attempts.
  std::vector<int> prepare_all() {
    const auto vms = std::exchange(preparing, {});
    for (const int vm : vms) manager->prepared(vm, begin_attempt(vm), "QUJD");
    return vms;
  }
  std::int64_t begin_attempt(int vm) {
    const auto active = store.vm(vm)->active_image;
    const auto image = active ? store.image(*active) : std::nullopt;
    const auto last = image ? image->increments.back().id : -1;
    return store.begin({.id = -1,
                        .vm = vm,
                        .image = active,
                        .increment = last + 1,
                        .datastore = 100,
                        .mode = Mode::increment,
                        .disks = {0},
                        .dir = "/d",
                        .started = now,
                        .ended = {},
                        .error = {},
                        .service = true});
  }
  void stored(int vm) {
    manager->vmm_answer({.verb = "BACKUP",
                         .good = true,
                         .id = vm,
                         .info = "aaaa" + std::to_string(1000 + ++sources) + " 3 raw"},
                        now);
    advance();
  }
  std::string waiting(int vm) const {
    const auto text = read_file_if_any(home.vm_link(vm).string() + ".xml").value_or("");
    return text.find(">69<") != text.npos ? "waits" : "does not";
  }

  using Strings = std::vector<std::string>;
  ScopedZone zone{"UTC"};
  TempDir dir;
  state::Home home{dir.path() / "var"};
  state::Store store{[this] {
    std::filesystem::create_directory(dir.path() / "var");
    return home.database();
  }()};
  Pools pools{store};
  int host = -1, sources = 0;
  Time now = begin;
  Manager::Settings settings{};
  bool vmm_is_ready = true, datastore_is_ready = true;
  std::vector<int> preparing;
  Strings asked;
  std::string last_payload;
  std::optional<Manager> manager;
};

TEST_F(ManagerTest, BacksUpWhatIsDueWithinTheLimits) {
  boot();
  machines(3);
  ASSERT_EQ(preparing.size(), 2U);
  const auto vms = prepare_all();
  EXPECT_EQ(asked,
            (Strings{"BACKUP " + std::to_string(vms[0]), "BACKUP " + std::to_string(vms[1])}));
  EXPECT_EQ(waiting(vms[0]), "waits");
  stored(vms[0]);
  EXPECT_EQ(waiting(vms[0]), "does not");
  EXPECT_EQ(store.images().size(), 1U);
  EXPECT_EQ(store.image(1)->chain().text(), "0:aaaa1001");
  ASSERT_EQ(preparing.size(), 1U) << "the third has its place";
  EXPECT_EQ(manager->busy(), 2U);
  EXPECT_EQ(store.unfinished().size(), 1U);
}

TEST_F(ManagerTest, AFailureIsTriedAgainLater) {
  boot();
  machines(1);
  const int vm = prepare_all().at(0);
  manager->vmm_answer({.verb = "BACKUP", .good = false, .id = vm, .info = "no space"}, now);
  EXPECT_EQ(store.last_attempt(vm)->error, "no space");
  EXPECT_EQ(manager->busy(), 0U);
  advance();
  EXPECT_TRUE(preparing.empty());
  now += hour;
  advance();
  EXPECT_EQ(preparing.size(), 1U);
  manager->not_prepared(vm, "no such domain", now);
  EXPECT_EQ(manager->busy(), 0U);
  EXPECT_EQ(manager->scheduler().waits(vm).at(0).request.failures, 2);
}

TEST_F(ManagerTest, AnAnswerThatIsNoneIsAFailure) {
  boot();
  machines(1);
  const int vm = prepare_all().at(0);
  manager->vmm_answer({.verb = "BACKUP", .good = true, .id = vm, .info = "-"}, now);
  EXPECT_TRUE(store.images().empty());
  EXPECT_NE(store.last_attempt(vm)->error, "");
  manager->vmm_answer({.verb = "BACKUP", .good = true, .id = vm, .info = "aaaa0000 3 raw"}, now);
  EXPECT_TRUE(store.images().empty()) << "nobody waits for it";
}

TEST_F(ManagerTest, AdoptsWhatRunsAfterARestart) {
  boot();
  machines(1);
  const int vm = prepare_all().at(0);
  const auto record = [&] {
    std::filesystem::create_directories(home.var() / "mad/kvm");
    return front::Record::make(home.var() / "mad/kvm", vm);
  }();
  boot();
  EXPECT_EQ(manager->busy(), 1U);
  manager->vmm_ready(now);
  advance();
  EXPECT_TRUE(asked.empty()) << "the driver has it";
  EXPECT_TRUE(preparing.empty()) << "it runs";
  stored(vm);
  EXPECT_EQ(store.images().size(), 1U);
  EXPECT_EQ(manager->busy(), 0U);
  advance();
  EXPECT_TRUE(preparing.empty());
}

TEST_F(ManagerTest, BeginsAnewWhatNobodyHasAfterARestart) {
  boot();
  machines(2);
  manager->prepared(preparing.at(0), begin_attempt(preparing.at(0)), "QUJD");
  begin_attempt(preparing.at(1));  // it came so far
  preparing.clear();
  boot();
  manager->vmm_ready(now);
  advance();
  EXPECT_EQ(preparing.size(), 2U);
  EXPECT_EQ(store.unfinished().size(), 0U);
  EXPECT_TRUE(manager->scheduler().waits().empty());
}

TEST_F(ManagerTest, WhatTheCommandHasSettledMeanwhileIsOver) {
  boot();
  machines(1);
  const int vm = prepare_all().at(0);
  manager.reset();
  store.succeed(store.unfinished(vm).at(0).id, {.id = 0, .source = "bbbb0000", .dir = "/d"});
  boot();
  manager->vmm_ready(now);
  advance();
  EXPECT_EQ(manager->busy(), 0U);
  EXPECT_TRUE(preparing.empty()) << "it has its backup";
}

TEST_F(ManagerTest, AsksADriverThatWasNotReadyWhenItIs) {
  boot();
  machines(1);
  vmm_is_ready = false;
  const int vm = prepare_all().at(0);
  EXPECT_TRUE(asked.empty());
  vmm_is_ready = true;
  manager->vmm_ready(now);
  EXPECT_EQ(asked, (Strings{"BACKUP " + std::to_string(vm)}));
  manager->vmm_ready(now);  // and that one had nothing of it
  advance();
  EXPECT_EQ(preparing.size(), 1U);
}

TEST_F(ManagerTest, LeavesAMachineThatTheCommandWorksOn) {
  boot();
  manager->machines(host, {{{.uuid = "u0", .name = "web"}}}, now);
  const int vm = store.vms().at(0).id;
  home.prepare_vm(vm, "u0");
  auto lock = FileLock::try_lock(home.vm_dir("u0") / "cli.lock");
  ASSERT_TRUE(lock);
  now += day;
  advance();
  EXPECT_TRUE(preparing.empty());
  EXPECT_NE(manager->scheduler().waits(vm).at(0).text.find("the command vmvault"),
            std::string::npos);
  lock.reset();
  now += 61;
  advance();
  EXPECT_EQ(preparing.size(), 1U);
}

class ManagerImagesTest : public ManagerTest {
 protected:
  // A machine with a chain of so many points, and the next request of its.
  int chain(int points) {
    boot();
    machines(1);
    int vm = -1;
    for (int i = 0; i < points; ++i) {
      vm = prepare_all().at(0);
      stored(vm);
      now += day;
      advance();
    }
    return vm;
  }
  void answer(const std::string& verb, bool good, const std::string& info) {
    manager->datastore_answer({.verb = verb, .good = good, .id = 1, .info = info}, now);
    advance();
  }
};

TEST_F(ManagerImagesTest, MergesWhatTheRulesDoNotKeepAndBacksUpAfterwards) {
  settings.keep.last = 2;
  const int vm = chain(2);
  asked.clear();
  EXPECT_EQ(prepare_all().size(), 1U);
  stored(vm);
  EXPECT_EQ(asked.back(), "INCREMENT_FLATTEN 1");
  EXPECT_NE(base64_decode(last_payload).find("<KEEP_LAST>2</KEEP_LAST>"), std::string::npos);
  EXPECT_EQ(store.image(1)->state, state::ImageState::locked);
  now += day;
  advance();
  EXPECT_TRUE(preparing.empty()) << "not while it is merged";
  answer("INCREMENT_FLATTEN", true, "7 1:cccc0001,2:aaaa1003");
  EXPECT_EQ(store.image(1)->chain().text(), "1:cccc0001,2:aaaa1003");
  EXPECT_EQ(store.image(1)->state, state::ImageState::ready);
  EXPECT_EQ(preparing.size(), 1U);
}

TEST_F(ManagerImagesTest, AFailedMergeChangesNothingAndDoesNotLock) {
  settings.keep.last = 1;
  const int vm = chain(1);
  prepare_all();
  stored(vm);
  ASSERT_EQ(asked.back(), "INCREMENT_FLATTEN 1");
  answer("INCREMENT_FLATTEN", true, "7 0:cccc0001,1:aaaa1002");
  EXPECT_EQ(store.image(1)->chain().text(), "0:aaaa1001,1:aaaa1002");
  EXPECT_EQ(store.image(1)->state, state::ImageState::ready);
  EXPECT_NE(store.image(1)->error, "");
  EXPECT_EQ(manager->busy(), 0U);
}

TEST_F(ManagerImagesTest, WhatAnImageWaitedForIsAskedForAgainAfterARestart) {
  settings.keep.last = 1;
  const int vm = chain(1);
  prepare_all();
  stored(vm);
  datastore_is_ready = false;
  boot();
  advance();
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(manager->busy(), 1U);
  datastore_is_ready = true;
  manager->datastore_ready(now);
  EXPECT_EQ(asked, (Strings{"INCREMENT_FLATTEN 1"}));
  answer("INCREMENT_FLATTEN", true, "7 1:cccc0001");
  EXPECT_EQ(store.image(1)->chain().text(), "1:cccc0001");
  EXPECT_EQ(manager->busy(), 0U);
}

TEST_F(ManagerImagesTest, ADeleteGoesOnUntilItIsDone) {
  chain(1);
  prepare_all();
  store.mark_deleting(1);  // by a command that was killed then
  boot();
  manager->vmm_ready(now);
  advance();
  EXPECT_TRUE(store.image(1)->half_deleted());
  ASSERT_EQ(asked, (Strings{"RM 1"}));
  answer("RM", false, "locked by root@kvm1");
  EXPECT_EQ(store.image(1)->state, state::ImageState::error);
  boot();
  advance();
  EXPECT_EQ(asked, (Strings{"RM 1"}));
  answer("RM", true, "-");
  EXPECT_FALSE(store.image(1));
}

TEST_F(ManagerImagesTest, AMachineThatIsGoneKeepsItsBackups) {
  const int vm = chain(1);
  manager->machines(host, std::vector<Machine>{}, now);
  advance();
  EXPECT_TRUE(manager->scheduler().state().vms.empty());
  EXPECT_EQ(store.image(1)->vm, vm);
  manager->machines(host, std::nullopt, now);
  EXPECT_FALSE(pools.hosts().at(0).host.up);
}

}  // namespace
}  // namespace vmvaultd
