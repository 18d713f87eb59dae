// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/messages.h"

#include <gtest/gtest.h>

#include "common/one/image.h"

namespace messages {
namespace {

VmMessage message(const std::string& name) {
  VmMessage out;
  out.vm_id = 1'000'007;
  out.guest.uuid = "23401b18-2886-42e0-8639-73a62b52342b";
  out.guest.name = name;
  out.guest.vcpus = 2;
  out.guest.memory_mib = 512;
  out.guest.nics = {{.mac = "52:54:00:00:00:01", .network = "default", .bridge = {}, .model = {}}};
  out.disks = {{.id = 0,
                .disk = {.target = "vda",
                         .device = "disk",
                         .type = "file",
                         .source = "/img/a & b.qcow2",
                         .format = "qcow2",
                         .bus = "virtio"},
                .virtual_size = (10u << 20) + 1},
               {.id = 4,
                .disk = {.target = "vdb",
                         .device = "disk",
                         .type = "file",
                         .source = "/img/b.raw",
                         .format = "raw",
                         .bus = "virtio",
                         .read_only = true},
                .virtual_size = 20u << 20}};
  out.running = true;
  out.config = {.mode = Mode::increment,
                .freeze = Freeze::agent,
                .last_increment_id = 3,
                .last_datastore_id = 100,
                .last_bridge = {}};
  return out;
}

TEST(VmMessage, IsReadBackByTheDrivers) {
  const auto document = vm(message("web"));
  const auto read = Vm::parse(document.root());
  EXPECT_EQ(read.id, 1'000'007);
  EXPECT_EQ(read.name, "web");
  EXPECT_EQ(read.deploy_id, "23401b18-2886-42e0-8639-73a62b52342b");
  EXPECT_TRUE(read.running());
  ASSERT_EQ(read.disks.size(), 2u);
  EXPECT_EQ(read.disks[0].source, "/img/a & b.qcow2");
  EXPECT_EQ(read.disks[0].format, "qcow2");
  EXPECT_EQ(read.disks[0].size_mb, 11) << "rounded up";
  EXPECT_EQ(read.disk(4).target, "vdb");
  EXPECT_EQ(read.disk(4).size_mb, 20);
  EXPECT_EQ(read.backup.own_id(), 4);
  EXPECT_EQ(read.backup.freeze, Freeze::agent);
  EXPECT_EQ(read.backup.last_datastore_id, 100);
  EXPECT_EQ(document.at("TEMPLATE/NIC/MAC"), "52:54:00:00:00:01");
}

TEST(VmMessage, SaysWhetherAQemuRuns) {
  auto off = message("web");
  off.running = false;
  EXPECT_EQ(vm(off).at("LCM_STATE"), "70");
  EXPECT_EQ(vm(message("web")).at("LCM_STATE"), "69");
}

TEST(VmMessage, NamesTheNewestBackup) {
  auto known = message("web");
  EXPECT_EQ(vm(known).find("BACKUPS/BACKUP_CONFIG/LAST_SOURCE"), "") << "there is none";
  known.last_source = "aaaa0000";
  EXPECT_EQ(vm(known).at("BACKUPS/BACKUP_CONFIG/LAST_SOURCE"), "aaaa0000");
}

TEST(VmMessage, NamesTheChainBeforeAFirstOne) {
  auto known = message("web");
  EXPECT_FALSE(vm(known).find("BACKUPS/BACKUP_CONFIG/PREVIOUS_INCREMENT_ID"));
  EXPECT_FALSE(vm(known).find("BACKUPS/BACKUP_CONFIG/LAST_CAPTURE"));
  EXPECT_FALSE(vm(known).find("BACKUPS/BACKUP_CONFIG/CAPTURE"));
  known.config.capture = "4567cdef";
  EXPECT_EQ(Vm::parse(vm(known).root()).backup.capture, "4567cdef");
  known.config.last_capture = "";
  EXPECT_EQ(Vm::parse(vm(known).root()).backup.last_capture, "") << "of an older version";
  known.config.last_capture = "0123abcd";
  EXPECT_EQ(Vm::parse(vm(known).root()).backup.last_capture, "0123abcd");
  known.config.last_increment_id = -1;
  known.config.previous_increment_id = 7;
  EXPECT_EQ(vm(known).at("BACKUPS/BACKUP_CONFIG/PREVIOUS_INCREMENT_ID"), "7");
}

TEST(VmMessage, KeepsAHostileNameApart) {
  for (const std::string name : {"</NAME><ID>0</ID>", "a b\tc; $(id)", "]]>", "\"'&<>"}) {
    const Xml again{vm(message(name)).dump()};
    EXPECT_EQ(again.at("NAME"), name);
    EXPECT_EQ(again.at("ID"), "1000007");
  }
}

TEST(VmMessage, TheNameIsNoPartOfTheCommand) {
  const auto datastore = Xml::create("DATASTORE");
  const auto action = backup_action(message("a b -- c"), "/v/vms/1000007", datastore);
  EXPECT_EQ(action.at("TM_COMMAND"),
            "BACKUP qcow2 localhost:/v/vms/1000007 0:4 23401b18-2886-42e0-8639-73a62b52342b - "
            "1000007 0\n");
  EXPECT_EQ(action.at("VM/NAME"), "a b -- c");
}

state::ImageRecord record(Mode mode) {
  state::ImageRecord out{.id = 57, .vm = 1'000'000, .datastore = 100, .mode = mode};
  out.disks = {0, 1};
  out.created = 1787212800;
  out.increments = {{.id = 0, .source = "aaaa0000", .size_mib = 30}};
  return out;
}

TEST(ImageMessage, HoldsTheChainOfIncrements) {
  auto chain = record(Mode::increment);
  chain.increments.push_back({.id = 2, .source = "bbbb1111", .size_mib = 12});
  const auto document = image(chain);
  const auto read = Image::parse(document.root());
  EXPECT_EQ(read.id, 57);
  EXPECT_EQ(read.vm_id, 1'000'000);
  EXPECT_EQ(read.chain->text(), "0:aaaa0000,2:bbbb1111");
  EXPECT_EQ(document.at("SIZE"), "42");
  EXPECT_EQ(document.at("BACKUP_INCREMENTS/INCREMENT[2]/PARENT_ID"), "0");
  EXPECT_EQ(document.at("BACKUP_DISK_IDS/ID[2]"), "1");
}

TEST(ImageMessage, AFullImageHasNoIncrements) {
  const auto document = image(record(Mode::full));
  EXPECT_TRUE(document.root().find_all("BACKUP_INCREMENTS/INCREMENT").empty());
  EXPECT_EQ(Image::parse(document.root()).chain->text(), "0:aaaa0000");
}

TEST(HostMessage, NamesTheHostOfTheMachine) {
  const auto datastore = Xml::create("DATASTORE");
  const auto cancel = messages::cancel_action(7, "u", "root@kvm2", "/var/vms/u/7", datastore);
  EXPECT_EQ(cancel.root().at("HOST"), "root@kvm2");
  EXPECT_EQ(cancel.root().at("TM_COMMAND"), "BACKUPCANCEL qcow2 root@kvm2:/var/vms/u/7 u\n");
  guest::Guest guest;
  guest.uuid = "u";
  guest.name = "n";
  const auto backup = messages::backup_action(
      {.vm_id = 7, .guest = guest, .disks = {}, .config = {}, .host = "root@kvm2"}, "/var/vms/u/7",
      datastore);
  EXPECT_EQ(backup.root().at("HOST"), "root@kvm2");
  EXPECT_TRUE(backup.root().at("TM_COMMAND").starts_with("BACKUP qcow2 root@kvm2:/var/vms/u/7 "));
  EXPECT_EQ(backup.root().at("VM/HISTORY_RECORDS/HISTORY/HOSTNAME"), "root@kvm2");
}

}  // namespace
}  // namespace messages
