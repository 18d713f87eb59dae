// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/guest.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace guest {
namespace {

std::string domain(const std::string& name, const std::string& devices,
                   const std::string& more = "") {
  return "<domain type='kvm' id='3'><name>" + name +
         "</name><uuid>23401b18-2886-42e0-8639-73a62b52342b</uuid>"
         "<memory unit='KiB'>2097152</memory><vcpu>2</vcpu>"
         "<os><type arch='x86_64' machine='q35'>hvm</type></os>" +
         more + "<devices>" + devices + "</devices></domain>";
}

Guest parsed(const std::string& xml) { return parse(Xml{xml}.root()); }

const std::string vda =
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
    "<source file='/img/top.qcow2' index='3'/><backingStore type='file'><format type='qcow2'/>"
    "<source file='/img/base.qcow2'/></backingStore><target dev='vda' bus='virtio'/></disk>";

TEST(Guest, ReadsMachineAndDisks) {
  const auto guest =
      parsed(domain("web", vda + "<disk type='file' device='disk'><source "
                                 "file='/img/b'/><target dev='vdb'/><readonly/></disk>"
                                 "<interface type='network'><mac address='52:54:00'/>"
                                 "<source network='default'/></interface>"));
  EXPECT_EQ(guest.name, "web");
  EXPECT_EQ(guest.vcpus, 2);
  EXPECT_EQ(guest.memory_mib, 2048);
  EXPECT_EQ(guest.machine, "q35");
  ASSERT_EQ(guest.disks.size(), 2u);
  EXPECT_EQ(guest.disks[0].source, "/img/top.qcow2") << "the top layer, not what backs it";
  EXPECT_EQ(guest.disks[0].format, "qcow2");
  EXPECT_EQ(guest.disks[0].bus, "virtio");
  EXPECT_EQ(guest.disks[1].format, "raw") << "as libvirt assumes";
  EXPECT_TRUE(guest.disks[1].read_only);
  ASSERT_EQ(guest.nics.size(), 1u);
  EXPECT_EQ(guest.nics[0].network, "default");
  EXPECT_FALSE(guest.opennebulas);
  EXPECT_FALSE(guest.agent);
}

TEST(Guest, LeavesOutRemovableMediaOnly) {
  const auto guest =
      parsed(domain("web", vda + "<disk type='file' device='cdrom'><target dev='sda'/></disk>"
                                 "<disk type='network' device='cdrom'><target dev='sdb'/></disk>"
                                 "<disk type='file' device='floppy'><target dev='fda'/></disk>"));
  const auto disks = backup_disks(guest);
  ASSERT_EQ(disks.size(), 1u);
  EXPECT_EQ(disks[0].target, "vda");
}

TEST(Guest, RefusesADiskThatIsNoFileAndNamesIt) {
  for (const std::string disk :
       {"<disk type='network' device='disk'><target dev='vdb'/></disk>",
        "<disk type='block' device='disk'><source dev='/dev/sdx'/><target dev='vdb'/></disk>",
        "<disk type='volume' device='disk'><target dev='vdb'/></disk>",
        "<disk type='block' device='lun'><target dev='vdb'/></disk>",
        "<disk type='file' device='disk'><target dev='vdb'/></disk>"}) {
    try {
      backup_disks(parsed(domain("web", vda + disk)));
      ADD_FAILURE() << disk;
    } catch (const Error& error) {
      EXPECT_NE(std::string{error.what()}.find("'vdb'"), std::string::npos) << error.what();
      EXPECT_NE(std::string{error.what()}.find("'web'"), std::string::npos) << error.what();
    }
  }
}

TEST(Guest, RefusesAMachineWithoutDisks) {
  EXPECT_THROW(backup_disks(parsed(domain("web", ""))), Error);
}

TEST(Guest, KnowsOpenNebulasDomainsByNameAndByMetadata) {
  EXPECT_TRUE(parsed(domain("one-12", vda)).opennebulas);
  for (const char* name : {"one-", "one-12a", "one", "none-12"})
    EXPECT_FALSE(parsed(domain(name, vda)).opennebulas) << name;
  EXPECT_TRUE(parsed(domain("web", vda,
                            "<metadata><x:vm xmlns:x='http://opennebula.org/xmlns/libvirt/1.0'>"
                            "<x:system_datastore>/d</x:system_datastore></x:vm></metadata>"))
                  .opennebulas);
  EXPECT_FALSE(
      parsed(domain("web", vda, "<metadata><vm xmlns='http://example.org/'>one</vm></metadata>"))
          .opennebulas);
}

TEST(Guest, SeesAConnectedAgentOnly) {
  const auto channel = [](const std::string& attributes) {
    return "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'" + attributes +
           "/></channel>";
  };
  EXPECT_TRUE(parsed(domain("web", channel(" state='connected'"))).agent);
  EXPECT_FALSE(parsed(domain("web", channel(" state='disconnected'"))).agent);
  EXPECT_FALSE(parsed(domain("web", channel(""))).agent);
}

TEST(Guest, KnowsWhatItKeepsBesidesItsDisks) {
  const auto words = [](const std::string& os, const std::string& devices) {
    return keeps(Xml{"<domain>" + os + "<devices>" + devices + "</devices></domain>"}.root());
  };
  using Words = std::vector<std::string>;
  EXPECT_EQ(words("<os/>", vda), Words{});
  EXPECT_EQ(words("<os><nvram>/n.fd</nvram></os>", vda), Words{"NVRAM"});
  EXPECT_EQ(words("<os firmware='efi'><loader secure='yes'/></os>", vda), Words{"NVRAM"});
  EXPECT_EQ(words("<os firmware='efi'><loader stateless='yes'/></os>", vda), Words{});
  EXPECT_EQ(words("<os firmware='efi'><nvram>/n.fd</nvram></os>",
                  "<tpm><backend type='emulator'/></tpm>"),
            (Words{"TPM state", "NVRAM"}));
}

TEST(Guest, RefusesWhatIsNoDomain) {
  EXPECT_THROW(parsed("<network><name>x</name></network>"), BadRequest);
  EXPECT_THROW(parsed("<domain><name>x</name></domain>"), BadRequest);
}

}  // namespace
}  // namespace guest
