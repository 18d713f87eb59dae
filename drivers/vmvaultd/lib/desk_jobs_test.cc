// SPDX-License-Identifier: Apache-2.0
#include "common/base64.h"
#include "drivers/vmvaultd/lib/desk.h"
#include "drivers/vmvaultd/lib/test_desk.h"

namespace vmvaultd {
namespace {

TEST_F(DeskTest, SettingsOfAMachineComeBeforeItsDatastores) {
  const int vm = idle_machines(2);
  const auto of = [&](int id) {
    for (const auto& one : manager->scheduler().state().vms)
      if (one.id == id) return one;
    return Vm{};
  };
  desk->configure_datastore(100, {{"RPO", "7200"}, {"MAX_BACKUPS", "1"}, {"KEEP_LAST", "2"}});
  desk->configure_vm(vm, {{"RPO", "3600"}, {"PRIORITY", "80"}, {"MODE", "full"}}, false);
  EXPECT_EQ(of(vm).rpo, 3600);
  EXPECT_EQ(of(vm).priority, 80);
  EXPECT_EQ(of(vm + 1).rpo, 7200);
  EXPECT_EQ(manager->scheduler().state().datastores.at(0).limit, 1);
  desk->configure_vm(vm, {{"KEEP_LAST", "1"}}, true);
  EXPECT_EQ(of(vm).rpo, 3600);
  desk->configure_vm(vm, {{"KEEP_LAST", "1"}, {"LAST_INCREMENT_ID", "7"}}, false);
  EXPECT_EQ(of(vm).rpo, 7200);
  reboot();
  EXPECT_EQ(of(vm + 1).rpo, 7200);
  EXPECT_THROW(desk->configure_vm(vm, {{"MODES", "FULL"}}, true), BadRequest);
  EXPECT_THROW(desk->configure_vm(vm, {{"INCREMENT_MODE", "SNAPSHOT"}}, true), BadRequest);
  EXPECT_THROW(desk->configure_vm(vm, {{"DATASTORE_ID", "7"}}, true), NoSuchObject);
}

TEST_F(DeskTest, KeepLastOfAMachineCounts) {
  const int vm = idle_machines(1);
  back_up(vm);
  back_up(vm);
  asked.clear();
  desk->configure_vm(vm, {{"KEEP_LAST", "1"}}, true);
  advance();
  EXPECT_EQ(asked, (Strings{"INCREMENT_FLATTEN 1"}));
}

TEST_F(DeskTest, AnotherModeBeginsAnotherChain) {
  const int vm = idle_machines(1);
  back_up(vm);
  desk->configure_vm(vm, {{"FS_FREEZE", "SUSPEND"}}, true);
  EXPECT_EQ(store.vm(vm)->active_image, 1);
  desk->configure_vm(vm, {{"MODE", "FULL"}}, true);
  EXPECT_FALSE(store.vm(vm)->active_image);
}

TEST_F(DeskTest, AJobBacksUpItsMachinesInItsOrder) {
  const int vm = idle_machines(3);
  const auto list = std::to_string(vm + 1) + "," + std::to_string(vm);
  const int job = desk->create_job(
      "night", 0, {{"BACKUP_VMS", list}, {"DATASTORE_ID", "100"}, {"KEEP_LAST", "3"}});
  EXPECT_THROW(desk->create_job("other", 0, {{"BACKUP_VMS", list}}), BadRequest);
  EXPECT_THROW(desk->backup(vm, 100, false), WrongState) << "its job does it";
  EXPECT_THROW(desk->add_action({.subject = Subject::vm, .parent = vm, .datastore = 100}),
               WrongState)
      << "also at another time";
  EXPECT_EQ(state::Store{home.database()}.job_template_of(vm).find("PRIORITY"), std::string::npos);
  desk->execute_job(job);
  EXPECT_THROW(desk->execute_job(job), WrongState);
  advance();
  EXPECT_EQ(preparing, (std::vector{vm + 1})) << "SEQUENTIAL";
  prepare_all();
  desk->cancel_job(job);
  EXPECT_TRUE(manager->scheduler().waits().empty());
  EXPECT_EQ(asked.back(), cancel_of(vm + 1));
  manager->vmm_answer({.verb = "BACKUP", .good = false, .id = vm + 1, .info = "cancelled"}, now);
  desk->retry_job(job);
  advance();
  EXPECT_EQ(preparing, (std::vector{vm + 1}));
  reboot();
  EXPECT_TRUE(manager->scheduler().has_job(job));
  desk->update_job(job, {{"EXECUTION", "PARALLEL"}}, true);
  desk->set_job_priority(job, 90);
  const auto jobs = manager->scheduler().state().jobs;
  EXPECT_EQ(jobs.at(0).vms, (std::vector{vm + 1, vm}));
  EXPECT_EQ(jobs.at(0).priority, 90);
  EXPECT_EQ(jobs.at(0).execution, Job::Execution::parallel);
  desk->delete_job(job);
  EXPECT_THROW(desk->execute_job(job), NoSuchObject);
}

TEST_F(DeskTest, AMachineThatWasUndefinedIsNotInItsJobAgain) {
  const int vm = idle_machines(2);
  const auto list = std::to_string(vm) + "," + std::to_string(vm + 1);
  const int job = desk->create_job("night", 0, {{"BACKUP_VMS", list}, {"DATASTORE_ID", "100"}});
  const Machine first{.uuid = "u0", .name = "vm0"}, second{.uuid = "u1", .name = "vm1"};
  manager->machines(host, std::vector{second}, now);
  manager->machines(host, std::vector{first, second}, now);
  desk->update_job(job, {{"KEEP_LAST", "1"}}, true);
  EXPECT_EQ(manager->scheduler().state().jobs.at(0).vms, (std::vector{vm + 1}))
      << "who owns the job need not own the machine any more";
  EXPECT_NE(state::Store{home.database()}.job_template_of(vm + 1).find("KEEP_LAST"),
            std::string::npos);
}

TEST_F(DeskTest, AMachineThatLeavesAJobBeginsAnotherChainAndTheLogSaysWhy) {
  const int vm = idle_machines(3);
  for (int id = vm; id < vm + 2; ++id) back_up(id);
  const auto list =
      std::to_string(vm) + "," + std::to_string(vm + 1) + "," + std::to_string(vm + 2);
  const int job = desk->create_job("night", 0, {{"BACKUP_VMS", list}, {"DATASTORE_ID", "100"}});
  EXPECT_TRUE(store.vm(vm)->active_image);
  logged.clear();
  desk->update_job(job, {{"BACKUP_VMS", std::to_string(vm + 1) + "," + std::to_string(vm + 2)}},
                   true);
  EXPECT_FALSE(store.vm(vm)->active_image);
  EXPECT_EQ(logged, "its next backup begins a new chain: it is no longer in job 1\n");
  logged.clear();
  desk->delete_job(job);
  EXPECT_FALSE(store.vm(vm + 1)->active_image);
  EXPECT_EQ(logged, "its next backup begins a new chain: job 1 that it was in is deleted\n")
      << "of the one that has a chain";
}

TEST_F(DeskTest, SchedulesAreCarriedOut) {
  const int vm = idle_machines(1);
  const Action nightly{.subject = Subject::vm,
                       .parent = vm,
                       .time = now + hour,
                       .repeat = Repeat::hourly,
                       .days = {24},
                       .datastore = 100};
  const int id = desk->add_action(nightly);
  auto orphan = nightly;
  orphan.parent = 7;
  EXPECT_THROW(desk->add_action(orphan), NoSuchObject);
  reboot();
  now += hour;
  advance();
  EXPECT_EQ(prepare_all().size(), 1U);
  stored(vm);
  auto changed = nightly;
  changed.id = id;
  changed.time = now + 2 * hour;
  desk->update_action(changed);
  changed.parent = vm + 1;
  EXPECT_THROW(desk->update_action(changed), NoSuchObject);
  desk->remove_action(Subject::vm, vm, id);
  EXPECT_THROW(desk->remove_action(Subject::vm, vm, id), NoSuchObject);
  now += day;
  advance();
  EXPECT_TRUE(preparing.empty());
}

TEST_F(DeskTest, WhatTheCommandBacksUpCounts) {
  settings.policy.limits.all = 1;
  const int vm = idle_machines(2);
  home.prepare_vm(vm, "u0");
  auto lock = FileLock::try_lock(home.vm_dir("u0") / "cli.lock");
  const auto attempt = begin_others(vm);
  desk->backup(vm + 1, -1, false);
  advance();
  EXPECT_TRUE(preparing.empty());
  reboot();
  advance();
  EXPECT_TRUE(preparing.empty()) << "also after a restart";
  store.succeed(attempt, {.id = 0, .source = "bbbb0000", .date = now, .dir = "/d"});
  lock.reset();
  now += 2;
  advance();
  EXPECT_EQ(preparing, (std::vector{vm + 1}));
}

TEST_F(DeskTest, ABackupOfTheCommandThatWasKilledIsOver) {
  settings.policy.limits.all = 1;
  const int vm = idle_machines(2);
  home.prepare_vm(vm, "u0");
  auto lock = FileLock::try_lock(home.vm_dir("u0") / "cli.lock");
  begin_others(vm);
  desk->backup(vm + 1, -1, false);
  advance();
  EXPECT_TRUE(preparing.empty());
  lock.reset();
  now += 2;
  advance();
  EXPECT_EQ(preparing, (std::vector{vm + 1}));
  EXPECT_TRUE(store.unfinished(vm).empty());
}

TEST_F(DeskTest, ADatastoreThatCannotBeUsedIsNot) {
  datastores_answer = false;
  const int vm = idle_machines(1);
  EXPECT_EQ(monitors, 1);
  answer("MONITOR", true, 100, base64_encode("USED_MB=1\nTOTAL_MB=30M\nFREE_MB=29\n"));
  EXPECT_EQ(store.space(100).total_mib, 30);
  EXPECT_EQ(store.space(100).free_mib, 29);
  answer("MONITOR", false, 100, base64_encode("no route to host"));
  desk->backup(vm, -1, false);
  advance();
  EXPECT_TRUE(preparing.empty());
  EXPECT_EQ(manager->scheduler().waits(vm).at(0).cause, Cause::datastore_unusable);
  now += minute;
  advance();
  EXPECT_EQ(monitors, 2) << "somebody may wait: it is asked soon again";
  reboot();
  advance();
  EXPECT_TRUE(preparing.empty());
  EXPECT_EQ(monitors, 3);
  answer("MONITOR", false, 100, "-");
  now += 300;
  advance();
  EXPECT_EQ(monitors, 4);
  answer("MONITOR", true, 100, "not base64");
  EXPECT_EQ(preparing.size(), 1U);
}

TEST_F(DeskTest, HostsAreConfigured) {
  idle_machines(1);
  desk->configure_host(host, {{"EMULATOR_CPUS", "0-1"}, {"MAX_BACKUPS", "3"}});
  EXPECT_EQ(pools.hosts().at(0).emulator_cpus, "0-1");
  EXPECT_EQ(manager->scheduler().state().hosts.at(0).limit, 3);
  EXPECT_THROW(desk->configure_host(host, {{"EMULATOR_CPUS", "<x/>"}}), BadRequest);
  EXPECT_THROW(desk->configure_host(host + 1, {}), NoSuchObject);
}

}  // namespace
}  // namespace vmvaultd
