// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/new_machine.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"
#include "common/one/xml.h"

namespace vmvaultd {
namespace {

constexpr const char* domain = R"(<domain type='kvm'><name>web</name>
<uuid>23401b18-2886-42e0-8639-73a62b523410</uuid><memory>524288</memory><vcpu>2</vcpu>
<cputune><emulatorpin cpuset='7'/></cputune><os><type machine='q35'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/old'/><target dev='vda'/></disk>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='net'/></interface>
</devices></domain>)";

class NewMachineTest : public testing::Test {
 protected:
  NewMachineTest() {
    machine.record = {.id = 4, .name = "12-aaaa"};
    machine.domain = domain;
    machine.dir = dir.path();
    machine.disks = {{.image = {.id = 9, .name = "d", .source = "/new/9.qcow2"}, .target = "vda"}};
  }
  Xml made() { return Xml{read_file(dir.path() / "4.xml")}; }

  TempDir dir;
  NewMachine machine;
};

TEST_F(NewMachineTest, IsAnotherMachineOnTheRestoredDisks) {
  machine.nvram = "variables";
  machine.emulator_cpus = "0-1";
  const auto text = write_machine(machine);
  EXPECT_NE(text.find("IMAGE_ID = \"9\""), std::string::npos) << text;
  EXPECT_NE(text.find("MAC = \"52:54:00:00:00:01\""), std::string::npos) << text;
  const auto xml = made();
  EXPECT_EQ(xml.find("name"), "12-aaaa");
  EXPECT_FALSE(xml.find("uuid"));
  EXPECT_EQ(xml.find("devices/disk/source/@file"), "/new/9.qcow2");
  EXPECT_EQ(xml.find("devices/disk/driver/@type"), "qcow2");
  EXPECT_EQ(xml.find("cputune/emulatorpin/@cpuset"), "0-1");
  EXPECT_EQ(read_file(dir.path() / "4.nvram"), "variables");
  EXPECT_EQ(xml.find("os/nvram"), (dir.path() / "4.nvram").string());
}

TEST_F(NewMachineTest, LeavesAloneWhatIsThere) {
  EXPECT_EQ(free_name(dir.path(), 4), "4");
  write_file(dir.path() / "4.nvram", "another machine's", 0600);
  machine.nvram = "variables";
  machine.files = free_name(dir.path(), 4);
  const auto text = write_machine(machine);
  EXPECT_EQ(read_file(dir.path() / "4.nvram"), "another machine's");
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "4.xml"));
  EXPECT_NE(text.find(machine.files + ".xml"), std::string::npos) << text;
  EXPECT_EQ(read_file(dir.path() / (machine.files + ".nvram")), "variables");
}

TEST_F(NewMachineTest, WithoutAddressesOrCards) {
  machine.record.no_ip = true;
  const auto without_ip = write_machine(machine);
  EXPECT_EQ(without_ip.find("MAC ="), std::string::npos);
  EXPECT_FALSE(made().find("devices/interface/mac/@address"));
  EXPECT_EQ(made().find("cputune/emulatorpin/@cpuset"), "7") << "nothing is set of the host";
  machine.record.no_nic = true;
  EXPECT_EQ(write_machine(machine).find("NIC"), std::string::npos);
  EXPECT_FALSE(made().root().first("devices/interface"));
}

TEST_F(NewMachineTest, PinnedProcessorsAreTheEmulatorsToo) {
  machine.emulator_cpus = "0-1";
  std::string pinned = domain;
  pinned.replace(pinned.find("<emulatorpin cpuset='7'/>"), 25,
                 "<vcpupin vcpu='0' cpuset='4'/><vcpupin vcpu='1' cpuset='6'/>");
  machine.domain = pinned;
  write_machine(machine);
  EXPECT_EQ(made().find("cputune/emulatorpin/@cpuset"), "4,6");
}

TEST_F(NewMachineTest, ADiskThatLayEncryptedInItsPlaceIsRefused) {
  machine.disks[0].as_seen = false;
  write_machine(machine);
  std::string encrypted = domain;
  encrypted.insert(encrypted.find("<target dev='vda'"), "<encryption format='luks'/>");
  machine.domain = encrypted;
  EXPECT_THROW(write_machine(machine), Error);
  machine.disks[0].as_seen = true;
  write_machine(machine);
  EXPECT_FALSE(made().find("//encryption"));
}

TEST_F(NewMachineTest, ADomainWithoutTheDiskIsRefused) {
  machine.disks[0].target = "vdb";
  EXPECT_THROW(write_machine(machine), Error);
}

}  // namespace
}  // namespace vmvaultd
