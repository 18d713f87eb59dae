// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/manager.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <ctime>

#include "drivers/lib/driver_record.h"
#include "drivers/vmvaultd/lib/test_manager.h"

namespace vmvaultd {
namespace {

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
  EXPECT_EQ(store.last_attempt(vm)->error, "no such domain") << "the status tells of it";
  EXPECT_TRUE(store.unfinished(vm).empty());
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

// A restarted service, while a command has the machine whose backup runs.
class LateAdoptionTest : public ManagerTest {
 protected:
  LateAdoptionTest() {
    boot();
    machines(1);
    vm = prepare_all().at(0);
    std::filesystem::create_directories(home.var() / "mad/kvm");
  }
  front::Record record() const { return front::Record::make(home.var() / "mad/kvm", vm); }
  void boot_while_locked() {
    manager.reset();
    command = FileLock::try_lock(home.vm_dir("u0") / "cli.lock");
    boot();
    manager->vmm_ready(now);
    advance();
    ASSERT_TRUE(command && preparing.empty() && manager->busy() == 0U);
  }
  void answered(const front::Record& by, const std::string& line) {
    by.finish("BACKUP " + line + "\n");
    const bool good = line.starts_with("SUCCESS");
    manager->vmm_answer(
        {.verb = "BACKUP", .good = good, .id = vm, .info = line.substr(line.find(' ', 8) + 1)},
        now);
    by.mark_sent();
    advance();
  }
  void release() {
    command.reset();
    now += 61;
    advance();
  }

  int vm = -1;
  std::optional<FileLock> command;
};

TEST_F(LateAdoptionTest, AnAnswerThatCameBeforeItCounts) {
  const auto by = record();
  boot_while_locked();
  answered(by, "SUCCESS " + std::to_string(vm) + " aaaa1001 3 raw");
  release();
  ASSERT_EQ(store.images().size(), 1U);
  EXPECT_EQ(store.image(1)->chain().text(), "0:aaaa1001");
  EXPECT_EQ(manager->busy(), 0U);
  EXPECT_EQ(waiting(vm), "does not");
  EXPECT_TRUE(preparing.empty()) << "it has its backup";
}

TEST_F(LateAdoptionTest, AFailureThatCameBeforeItCounts) {
  const auto by = record();
  boot_while_locked();
  answered(by, "FAILURE " + std::to_string(vm) + " no space");
  release();
  ASSERT_TRUE(store.last_attempt(vm));
  EXPECT_EQ(store.last_attempt(vm)->error, "no space");
  EXPECT_EQ(manager->busy(), 0U);
}

TEST_F(LateAdoptionTest, OneThatEndedWithoutAResultHasFailed) {
  const auto by = record();
  boot_while_locked();
  release();
  ASSERT_TRUE(store.last_attempt(vm));
  EXPECT_EQ(store.last_attempt(vm)->error, "the backup ended without a result");
  EXPECT_EQ(manager->busy(), 0U);
}

TEST_F(LateAdoptionTest, OneThatNoDriverHasBeginsAnew) {
  boot_while_locked();
  release();
  EXPECT_EQ(preparing.size(), 1U);
  EXPECT_TRUE(store.unfinished(vm).empty());
}

TEST_F(LateAdoptionTest, OneThatStillRunsIsWaitedForOrCancelled) {
  for (const bool cancelled : {false, true}) {
    const auto by = record();
    const auto keeper = by.try_lock();
    if (cancelled) store.cancel(store.unfinished(vm).at(0).id);
    boot_while_locked();
    release();
    EXPECT_EQ(manager->busy(), 1U);
    const auto cancel = "BACKUPCANCEL " + std::to_string(vm);
    EXPECT_EQ(asked, cancelled ? Strings{cancel} : Strings{});
    if (!cancelled) by.remove();
  }
  stored(vm);
  EXPECT_EQ(store.images().size(), 1U);
}

TEST_F(ManagerTest, WhatEndedWhileTheServiceWasAwayTookAsLongAsItTook) {
  now = std::time(nullptr) - 3 * day;
  boot();
  machines(1);
  const int vm = prepare_all().at(0);
  std::filesystem::create_directories(home.var() / "mad/kvm");
  const auto record = front::Record::make(home.var() / "mad/kvm", vm);
  record.finish("BACKUP SUCCESS " + std::to_string(vm) + " aaaa1001 3 raw\n");
  const timespec end{.tv_sec = now + 60, .tv_nsec = 0};
  const timespec times[2] = {end, end};
  ASSERT_EQ(utimensat(AT_FDCWD, (record.path() / "result").c_str(), times, 0), 0);
  manager.reset();
  now += day;
  boot();
  manager->vmm_ready(now);
  advance();
  record.mark_sent();
  stored(vm);
  EXPECT_EQ(store.last_attempt(vm)->ended, now - day + 60);
  EXPECT_EQ(manager->scheduler().state().vms.at(0).expected, 60);
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

TEST_F(ManagerTest, ABackupByTheCommandCounts) {
  boot();
  const std::vector<Machine> all{{.uuid = "u0", .name = "web"}};
  manager->machines(host, all, now);
  const int vm = store.vms().at(0).id;
  auto lock = FileLock::try_lock([&] {
    home.prepare_vm(vm, "u0");
    return home.vm_dir("u0") / "cli.lock";
  }());
  now += day;
  advance();
  store.succeed(begin_attempt(vm), {.id = 0, .source = "bbbb0000", .date = now, .dir = "/d"});
  lock.reset();
  manager->machines(host, all, now);
  now += 61;
  advance();
  EXPECT_TRUE(preparing.empty());
  EXPECT_TRUE(manager->scheduler().waits().empty());
}

TEST_F(ManagerTest, ABackupThatBearsADateToComeHoldsUpNoOther) {
  boot();
  const std::vector<Machine> all{{.uuid = "u0", .name = "web"}};
  manager->machines(host, all, now);
  const int vm = store.vms().at(0).id;
  store.succeed(begin_attempt(vm),
                {.id = 0, .source = "bbbb0000", .date = now + 400 * day, .dir = "/d"});
  boot();
  manager->machines(host, all, now);
  advance();
  EXPECT_EQ(preparing.size(), 1U);
}

TEST_F(ManagerTest, WhatWasBackedUpBeforeTheClockWasSetBackIsBackedUpAgain) {
  boot();
  machines(1);
  const int vm = prepare_all().at(0);
  stored(vm);
  now += 400 * day;
  advance();
  prepare_all();
  stored(vm);
  const std::vector<Machine> all{{.uuid = "u0", .name = "vm0"}};
  manager->machines(host, all, now);
  now -= 400 * day;
  advance();
  store.put_settings(state::Store::Subject::vm, vm, {{"PRIORITY", "20"}});
  manager->settings_changed(now);
  manager->machines(host, all, now);
  now += day;
  advance();
  EXPECT_EQ(preparing.size(), 1U);
}

TEST_F(ManagerTest, WhatTheCommandHadIsTriedSoonAfterTheClockWasSetBack) {
  boot();
  machines(1);
  const int vm = prepare_all().at(0);
  std::filesystem::create_directories(home.var() / "mad/kvm");
  const auto by = front::Record::make(home.var() / "mad/kvm", vm);
  const auto keeper = by.try_lock();
  manager.reset();
  auto lock = FileLock::try_lock(home.vm_dir("u0") / "cli.lock");
  boot();
  advance();
  EXPECT_EQ(manager->busy(), 0U);
  lock.reset();
  now -= 400 * day;
  advance();
  EXPECT_LE(*manager->next(), now + minute);
  now += 61;
  advance();
  EXPECT_EQ(manager->busy(), 1U);
}

TEST_F(ManagerTest, ABackupThatWasFoundDamagedIsReplacedInTime) {
  boot();
  machines(1);
  const int vm = prepare_all().at(0);
  stored(vm);
  const std::vector<Machine> all{{.uuid = "u0", .name = "vm0"}};
  now += hour;
  manager->machines(host, all, now);
  advance();
  EXPECT_TRUE(preparing.empty());
  store.note_check(1, 0, {}, "disk.0.0 is damaged");
  manager->machines(host, all, now);
  advance();
  EXPECT_EQ(preparing.size(), 1U) << "there is no good one";
}

}  // namespace
}  // namespace vmvaultd
