// SPDX-License-Identifier: Apache-2.0
// Hosts beside this machine, and the machines that move between them.
#include "drivers/vmvaultd/lib/test_desk.h"

namespace vmvaultd {
namespace {

class DeskHostsTest : public DeskTest {
 protected:
  DeskHostsTest() {
    vm = idle_machines(1);
    other = desk->add_host("kvm2", "");
  }
  void has_none(int which) { manager->machines(which, std::vector<Machine>{}, now); }
  std::vector<Machine> one(bool active) const {
    return {{.uuid = "u0", .name = "vm0", .active = active}};
  }
  std::string why() const {
    const auto waits = manager->scheduler().waits();
    return waits.empty() ? "" : waits.front().text;
  }
  std::string waits_for(int which, const std::string& state) const {
    return "VM " + std::to_string(vm) + " waits for host " + std::to_string(which) + ", which is " +
           state;
  }

  int vm = -1, other = -1;
};

TEST_F(DeskHostsTest, AreAddedAndDeleted) {
  EXPECT_EQ(manager->uri_of(other), "qemu+ssh://kvm2/system");
  EXPECT_THROW(desk->add_host("kvm2", "qemu+ssh://kvm3/system"), BadRequest) << "the name";
  EXPECT_THROW(desk->add_host("b", "qemu+ssh://kvm2/system?"), BadRequest) << "the URI";
  EXPECT_THROW(desk->add_host("b", "qemu:///system"), BadRequest) << "this machine";
  EXPECT_THROW(desk->add_host("b", "qemu+ssh://b/system?command=/x"), BadRequest);
  for (const auto* name : {"", "a b", "-a", "a/b", ".."})
    EXPECT_THROW(desk->add_host(name, ""), BadRequest) << name;
  desk->configure_host(other, {{"URI", "qemu+ssh://root@kvm2/system"}, {"MAX_BACKUPS", "1"}});
  EXPECT_EQ(manager->uri_of(other), "qemu+ssh://root@kvm2/system");
  EXPECT_THROW(desk->configure_host(host, {{"URI", "qemu+ssh://kvm3/system"}}), BadRequest);
  EXPECT_THROW(desk->delete_host(host), WrongState) << "this machine";
  desk->delete_host(other);
  EXPECT_THROW(desk->delete_host(other), NoSuchObject);
  EXPECT_EQ(pools.hosts().size(), 1U);
}

// Their files, and the domain.xml that names them, are on this machine.
TEST_F(DeskHostsTest, RestoredMachinesGetTheEmulatorsProcessorsOfThisHost) {
  desk->configure_host(other, {{"EMULATOR_CPUS", "8-9"}});
  EXPECT_EQ(state::emulator_cpus(store), "");
  desk->configure_host(host, {{"EMULATOR_CPUS", "0-1"}});
  EXPECT_EQ(state::emulator_cpus(store), "0-1");
}

TEST_F(DeskHostsTest, AMachineIsWhereItRuns) {
  manager->machines(other, one(false), now);
  EXPECT_EQ(manager->host_of(vm), host) << "a definition alone";
  manager->machines(other, one(true), now);
  EXPECT_EQ(manager->host_of(vm), other);
  manager->machines(host, one(false), now);
  EXPECT_EQ(manager->host_of(vm), other) << "what a migration leaves behind";
  has_none(other);
  EXPECT_EQ(manager->host_of(vm), host) << "gone there, and still defined here";
  has_none(host);
  has_none(other);
  EXPECT_TRUE(manager->knows(vm)) << "it may have moved while that answer was made";
  has_none(other);
  EXPECT_FALSE(manager->knows(vm));
}

// It left this machine after the other host was asked.
TEST_F(DeskHostsTest, AMachineBetweenTwoLooksIsLookedFor) {
  has_none(other);
  desk->execute_job(
      desk->create_job("j", 0, {{"BACKUP_VMS", std::to_string(vm)}, {"DATASTORE_ID", "100"}}));
  has_none(host);
  advance();
  EXPECT_TRUE(preparing.empty());
  EXPECT_TRUE(why().ends_with("it is looked for on host kvm2")) << why();
  has_none(other);
  manager->machines(other, one(true), now);
  EXPECT_EQ(manager->host_of(vm), other);
  advance();
  EXPECT_EQ(preparing, std::vector{vm});
  EXPECT_EQ(manager->scheduler().state().jobs.front().vms, std::vector{vm});
}

TEST_F(DeskHostsTest, WhatIsMissingIsLookedForOnTheHostsThatHaveEverAnswered) {
  const int third = desk->add_host("kvm3", "");
  has_none(third);
  manager->machines(third, std::nullopt, now);
  has_none(host);
  EXPECT_TRUE(manager->knows(vm)) << "kvm3 may have it";
  desk->delete_host(third);
  EXPECT_FALSE(manager->knows(vm)) << "kvm2 has never answered";
}

TEST_F(DeskHostsTest, AMachineStaysWhereItIsBackedUp) {
  desk->backup(vm, -1, false);
  advance();
  prepare_all();
  manager->machines(host, one(false), now);
  manager->machines(other, one(true), now);
  EXPECT_EQ(manager->host_of(vm), host);
  EXPECT_TRUE(manager->is_used(host));
  EXPECT_FALSE(manager->is_used(other));
  stored(vm);
  manager->machines(other, one(true), now);
  EXPECT_EQ(manager->host_of(vm), other);
}

TEST_F(DeskHostsTest, AHostInUseIsNotDeleted) {
  has_none(host);
  manager->machines(other, one(true), now);
  desk->backup(vm, -1, false);
  advance();
  prepare_all();
  EXPECT_THROW(desk->delete_host(other), WrongState);
  EXPECT_THROW(desk->configure_host(other, {{"URI", "qemu+ssh://kvm3/system"}}), WrongState);
  stored(vm);
  desk->delete_host(other);
  EXPECT_FALSE(manager->knows(vm));
  EXPECT_EQ(store.images().size(), 1U) << "the backups stay";
}

TEST_F(DeskHostsTest, WhatIsOnAHostThatDoesNotAnswerStays) {
  has_none(host);
  manager->machines(other, one(true), now);
  manager->machines(other, std::nullopt, now);
  desk->backup(vm, -1, false);
  advance();
  EXPECT_TRUE(manager->knows(vm));
  EXPECT_TRUE(preparing.empty());
  EXPECT_EQ(why(), waits_for(other, "down"));
  manager->machines(other, one(true), now);
  advance();
  EXPECT_EQ(preparing, std::vector{vm});
}

TEST_F(DeskHostsTest, WhatADeadHostRanIsTakenWhereItRunsNow) {
  manager->machines(host, one(true), now);
  manager->machines(other, one(true), now);
  EXPECT_EQ(manager->host_of(vm), host) << "both say that they run it";
  manager->machines(host, std::nullopt, now);
  manager->machines(other, one(true), now);
  EXPECT_EQ(manager->host_of(vm), other);
  manager->machines(host, one(false), now);
  EXPECT_EQ(manager->host_of(vm), other);
}

// Both lose it while it is backed up, and then nobody has it.
TEST_F(DeskHostsTest, WhatNobodyHasIsForgotten) {
  desk->backup(vm, -1, false);
  advance();
  prepare_all();
  manager->machines(other, one(true), now);
  has_none(host);
  has_none(other);
  has_none(host);
  EXPECT_TRUE(manager->knows(vm));
  has_none(host);
  EXPECT_FALSE(manager->knows(vm));
}

TEST_F(DeskHostsTest, NothingBeginsOnADisabledHostAndItsMachinesAreStillKnown) {
  desk->backup(vm, -1, false);
  advance();
  ASSERT_EQ(prepare_all(), std::vector{vm});
  desk->set_host_status(host, Host::Status::disabled);
  stored(vm);
  EXPECT_EQ(store.images().size(), 1U) << "what had begun goes on";
  desk->backup(vm, -1, false);
  advance();
  EXPECT_TRUE(preparing.empty());
  EXPECT_EQ(why(), waits_for(host, "disabled"));
  try {
    desk->restore_in_place(vm, 1, -1, -1);
    ADD_FAILURE() << "neither does a restore";
  } catch (const WrongState& error) {
    EXPECT_TRUE(std::string{error.what()}.ends_with("which is disabled")) << error.what();
  }
  manager->machines(host, std::vector<Machine>{one(true).front(), {.uuid = "u7", .name = "vm7"}},
                    now);
  EXPECT_TRUE(manager->knows(vm + 1));
  reboot();
  advance();
  EXPECT_TRUE(preparing.empty());
  desk->set_host_status(host, Host::Status::enabled);
  advance();
  EXPECT_EQ(preparing, std::vector{vm});
}

TEST_F(DeskHostsTest, AnOfflineHostIsNotHeardAndItsMachinesStay) {
  manager->machines(other, one(true), now);
  desk->set_host_status(other, Host::Status::offline);
  has_none(other);  // it was asked before
  EXPECT_EQ(manager->host_of(vm), other);
  desk->backup(vm, -1, false);
  advance();
  EXPECT_TRUE(preparing.empty());
  EXPECT_EQ(why(), waits_for(other, "offline"));
  desk->set_host_status(other, Host::Status::enabled);
  advance();
  EXPECT_EQ(why(), waits_for(other, "down")) << "until it has answered";
  manager->machines(other, one(true), now);
  advance();
  EXPECT_EQ(preparing, std::vector{vm});
}

// As when it is emptied before somebody works on it.
TEST_F(DeskHostsTest, WhatRanOnAnOfflineHostIsTakenWhereItRunsNow) {
  manager->machines(other, one(true), now);
  desk->set_host_status(other, Host::Status::offline);
  manager->machines(host, one(false), now);
  EXPECT_EQ(manager->host_of(vm), other) << "a definition alone";
  manager->machines(host, one(true), now);
  EXPECT_EQ(manager->host_of(vm), host);
}

TEST_F(DeskHostsTest, ARenamedHostIsReachedAsBefore) {
  manager->machines(other, one(true), now);
  desk->rename_host(other, "kvm9");
  desk->rename_host(other, "kvm9");
  EXPECT_EQ(manager->uri_of(other), "qemu+ssh://kvm2/system");
  EXPECT_EQ(manager->host_of(vm), other);
  EXPECT_THROW(desk->rename_host(other, "localhost"), BadRequest);
  EXPECT_THROW(desk->rename_host(other, "a b"), BadRequest);
  EXPECT_THROW(desk->rename_host(host, "kvm1"), WrongState);
  EXPECT_THROW(desk->rename_host(7, "kvm7"), NoSuchObject);
  EXPECT_THROW(desk->add_host("kvm2", ""), BadRequest) << "that is kvm9";
  reboot();
  ASSERT_EQ(manager->hosts().size(), 2U);
  EXPECT_EQ(manager->hosts()[1].name, "kvm9");
  EXPECT_EQ(manager->host_of(vm), other);
}

TEST_F(DeskHostsTest, EachHostHasItsLimit) {
  settings.policy.limits = {.all = 0, .host = 1, .datastore = 0};
  idle_machines(3);  // boots anew
  desk->configure_host(other, {{"MAX_BACKUPS", "2"}});
  std::vector<Machine> there;
  for (int i = 3; i < 6; ++i)
    there.push_back({.uuid = "u" + std::to_string(i), .name = "vm", .active = true});
  manager->machines(other, there, now);
  for (const auto& one : store.vms()) desk->backup(one.id, -1, false);
  advance();
  std::map<int, int> on;
  for (const int one : preparing) ++on[manager->host_of(one)];
  EXPECT_EQ(on, (std::map<int, int>{{host, 1}, {other, 2}}));
  EXPECT_TRUE(why().ends_with(" waits for host " + std::to_string(host) +
                              ", which makes 1 backup (MAX_BACKUPS_HOST)"))
      << why();
}

TEST_F(DeskHostsTest, WhatASilentHostHadIsTakenWhereItRuns) {
  manager->machines(host, std::nullopt, now);
  manager->machines(other, one(false), now);
  EXPECT_EQ(manager->host_of(vm), host);
  reboot();
  manager->machines(other, one(true), now);
  EXPECT_EQ(manager->host_of(vm), other);
}

}  // namespace
}  // namespace vmvaultd
