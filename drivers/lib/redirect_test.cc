// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/redirect.h"

#include <gtest/gtest.h>
#include <libvirt/libvirt.h>

#include "common/error.h"
#include "common/handle.h"
#include "common/one/xml.h"

namespace guest {
namespace {

// As libvirt shows a running domain.
const std::string live = R"(<domain type='test' id='7'>
  <name>web</name>
  <uuid>23401b18-2886-42e0-8639-73a62b52342b</uuid>
  <memory unit='KiB'>262144</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='none' discard='unmap'/>
      <source file='/img/a.raw' index='2'><seclabel model='dac' relabel='no'/></source>
      <backingStore type='file' index='3'><format type='qcow2'/><source file='/img/base'/></backingStore>
      <target dev='vda' bus='virtio'/>
      <alias name='virtio-disk0'/>
    </disk>
    <disk type='block' device='disk'>
      <source dev='/dev/vg/lv'/>
      <target dev='vdb' bus='virtio'/>
      <alias name='ua-mine'/>
    </disk>
    <disk type='file' device='cdrom'>
      <source file='/iso/install.iso'/>
      <target dev='sda' bus='sata'/>
      <readonly/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/>
      <source network='default'/>
      <target dev='vnet3'/>
      <alias name='net0'/>
    </interface>
  </devices>
  <seclabel type='dynamic' model='dac' relabel='yes'><label>+64055:+64055</label></seclabel>
</domain>)";

TEST(Redirect, PointsEveryDiskToItsFile) {
  const auto result = redirect(live, {{"vda", "/r/disk.0.qcow2"}, {"vdb", "/r/disk.1.qcow2"}});
  const Xml document{result.xml};
  EXPECT_EQ(document.at("devices/disk[1]/source/@file"), "/r/disk.0.qcow2");
  EXPECT_EQ(document.at("devices/disk[1]/driver/@type"), "qcow2");
  EXPECT_EQ(document.at("devices/disk[1]/driver/@discard"), "unmap") << "the user's own choice";
  EXPECT_EQ(document.at("devices/disk[2]/@type"), "file");
  EXPECT_EQ(document.at("devices/disk[2]/source/@file"), "/r/disk.1.qcow2");
  EXPECT_FALSE(document.find("devices/disk[2]/source/@dev"));
  EXPECT_EQ(document.at("devices/disk[2]/driver/@type"), "qcow2");
  EXPECT_TRUE(result.removed.empty());
}

TEST(Redirect, PinsTheEmulatorToTheHostsProcessorsForIt) {
  const std::map<std::string, std::filesystem::path> files{{"vda", "/r/0"}, {"vdb", "/r/1"}};
  EXPECT_FALSE(Xml{redirect(live, files).xml}.find("cputune"));
  EXPECT_EQ(Xml{redirect(live, files, {}, "0-1").xml}.at("cputune/emulatorpin/@cpuset"), "0-1");
  auto pinned = live;
  pinned.insert(pinned.find("<os>"),
                "<cputune><vcpupin vcpu='0' cpuset='4'/><emulatorpin cpuset='9'/></cputune>");
  const Xml document{redirect(pinned, files, {}, "0-1").xml};
  EXPECT_EQ(document.at("cputune/emulatorpin/@cpuset"), "4") << "where its processors are";
  EXPECT_EQ(document.root().find_all("cputune/emulatorpin").size(), 1U);
}

TEST(Redirect, RemovesWhatOnlyARunningDomainHas) {
  const Xml document{redirect(live, {{"vda", "/r/disk.0.qcow2"}, {"vdb", "/r/disk.1.qcow2"}}).xml};
  for (const char* gone :
       {"@id", "seclabel", "devices/disk/backingStore", "//source/seclabel", "//source/@index",
        "devices/interface/target", "//alias[@name='virtio-disk0']", "//alias[@name='net0']"})
    EXPECT_FALSE(document.find(gone)) << gone;
  EXPECT_TRUE(document.find("//alias[@name='ua-mine']"));
  EXPECT_EQ(document.at("uuid"), "23401b18-2886-42e0-8639-73a62b52342b");
}

TEST(Redirect, TakesOutDisksThatWereNotRestoredButNoMedium) {
  const auto result = redirect(live, {{"vda", "/r/disk.0.qcow2"}});
  const Xml document{result.xml};
  EXPECT_EQ(result.removed, std::vector<std::string>{"vdb"});
  EXPECT_EQ(document.root().find_all("devices/disk").size(), 2u);
  EXPECT_EQ(document.at("devices/disk[@device='cdrom']/source/@file"), "/iso/install.iso");
}

// As a child of the disk, or of its source.
TEST(Redirect, KeepsTheEncryptionOfADiskThatIsRestoredEncrypted) {
  const std::string secret =
      "<secret type='passphrase' uuid='23401b18-2886-42e0-8639-73a62b52342c'/>";
  const std::string inside =
      "<encryption format='luks' engine='librbd'>" + secret + "</encryption>";
  const std::string text =
      "<domain><devices><disk><driver name='qemu' type='raw'/><source file='/a'/><encryption "
      "format='luks'>" +
      secret +
      "</encryption><target dev='vda'/></disk><disk type='network'><source protocol='rbd' "
      "name='a/b'>" +
      inside +
      "</source><target dev='vdb'/></disk><disk><target dev='vdc'/></disk></devices></domain>";
  const std::map<std::string, std::filesystem::path> files{
      {"vda", "/r/0"}, {"vdb", "/r/1"}, {"vdc", "/r/2"}};
  const std::set<std::string> both{"vda", "vdb"};
  EXPECT_EQ(encrypted_disks(text), both);
  const Xml kept{redirect(text, files, {}, {}, both).xml};
  EXPECT_EQ(kept.root().find_all("devices/disk/encryption/secret").size(), 2u);
  EXPECT_EQ(kept.root().find_all("//encryption").size(), 2u);
  EXPECT_FALSE(kept.find("//encryption/@engine"));
  EXPECT_EQ(kept.at("devices/disk[1]/driver/@type"), "raw");
  EXPECT_EQ(kept.at("devices/disk[2]/driver/@type"), "raw");
  EXPECT_EQ(kept.at("devices/disk[3]/driver/@type"), "qcow2");
  const Xml gone{redirect(text, files).xml};
  EXPECT_FALSE(gone.find("//encryption"));
  EXPECT_EQ(gone.at("devices/disk[1]/driver/@type"), "qcow2");
}

// The stored document is foreign: it may be anything.
TEST(Redirect, SurvivesAliasesInAliases) {
  const std::string nest = "<alias><alias><alias/></alias></alias>";
  const auto text = "<domain><metadata>" + nest + "</metadata><devices>" + nest +
                    "<disk type='file'><target dev='vda'/>" + nest + "</disk><disk>" + nest +
                    "</disk></devices></domain>";
  const Xml document{redirect(text, {{"vda", "/r/disk.0.qcow2"}}).xml};
  EXPECT_EQ(document.root().find_all("metadata//alias").size(), 3u) << "the user's own";
  EXPECT_EQ(document.root().find_all("devices/disk//alias").size(), 0u);
}

TEST(Redirect, CarriesAnyPath) {
  const std::string path = "/r/a 'b' \"c\" & <d>/disk.0.qcow2";
  const Xml document{redirect(live, {{"vda", path}}).xml};
  EXPECT_EQ(document.at("devices/disk[1]/source/@file"), path);
}

TEST(Redirect, PointsToTheRestoredNvram) {
  const auto nvram = [](const std::string& os) {
    const auto text =
        "<domain>" + os + "<devices><disk><target dev='vda'/></disk></devices></domain>";
    return Xml{redirect(text, {{"vda", "/r/0"}}, "/r/nvram.fd").xml}
        .root()
        .first("os/nvram")
        ->dump();
  };
  EXPECT_EQ(nvram("<os><nvram template='/t.fd'>/old.fd</nvram></os>"),
            "<nvram template=\"/t.fd\">/r/nvram.fd</nvram>");
  EXPECT_EQ(nvram("<os><nvram type='file'><source file='/old.fd'/></nvram></os>"),
            "<nvram>/r/nvram.fd</nvram>");
  EXPECT_EQ(nvram("<os firmware='efi'/>"), "<nvram>/r/nvram.fd</nvram>");
  EXPECT_THROW(nvram(""), Error);
}

TEST(Redirect, RefusesWhatDoesNotFit) {
  const auto refused = [](std::string_view domain, const std::string& target) {
    try {
      redirect(domain, {{target, "/r/disk.9.qcow2"}});
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::failed) << "nobody asked wrongly";
      return std::string{error.what()};
    }
    return std::string{"taken"};
  };
  for (const char* domain : {"<pool/>", "<domain>", ""})
    EXPECT_TRUE(refused(domain, "vda").starts_with("the stored domain.xml is ")) << domain;
  EXPECT_EQ(refused(live, "vdz"), "the stored domain.xml has no disk 'vdz'");
}

TEST(Redirect, IsReadyToBeDefined) {
  const auto text = redirect(live, {{"vda", "/r/0.qcow2"}, {"vdb", "/r/1.qcow2"}}).xml;
  ASSERT_EQ(virInitialize(), 0);
  const Owned<virConnect, virConnectClose> libvirt{virConnectOpen("test:///default")};
  ASSERT_TRUE(libvirt);
  const Owned<virDomain, virDomainFree> defined{
      virDomainDefineXMLFlags(libvirt.get(), text.c_str(), VIR_DOMAIN_DEFINE_VALIDATE)};
  EXPECT_TRUE(defined);
}

}  // namespace
}  // namespace guest
