// SPDX-License-Identifier: Apache-2.0
#include "tm/lib/host_request.h"

#include <gtest/gtest.h>

#include "common/error.h"
#include "common/file.h"
#include "common/test_env.h"

namespace {

const std::string vm =
    "<VM><ID>12</ID><DEPLOY_ID>one-12</DEPLOY_ID><LCM_STATE>69</LCM_STATE><TEMPLATE>"
    "<DISK><DISK_ID>0</DISK_ID><TARGET>vda</TARGET><TYPE>FILE</TYPE><FORMAT>qcow2</FORMAT>"
    "<SIZE>1024</SIZE></DISK></TEMPLATE>"
    "<BACKUPS><BACKUP_CONFIG><MODE>INCREMENT</MODE><LAST_INCREMENT_ID>3</LAST_INCREMENT_ID>"
    "</BACKUP_CONFIG></BACKUPS></VM>";

std::string document(const std::string& vm_dir, const std::string& backup_dir,
                     const std::string& disks, const std::string& datastore = "") {
  return "<BACKUP_HOST><VM_DIR>" + vm_dir + "</VM_DIR><BACKUP_DIR>" + backup_dir +
         "</BACKUP_DIR><DISKS>" + disks +
         "</DISKS><LIVE>YES</LIVE><LIBVIRT_URI>qemu:///system</LIBVIRT_URI>"
         "<SETTINGS><SCRATCH_FLOOR_MB>7</SCRATCH_FLOOR_MB></SETTINGS>" +
         "<DATASTORE_SETTINGS>" + datastore + "</DATASTORE_SETTINGS>" + vm + "</BACKUP_HOST>";
}

}  // namespace

TEST(HostRequest, ComesBackAsItWasSent) {
  const auto one = HostRequest::parse(document("/var//lib/12", "/var/lib/12/backup", "0"));
  EXPECT_EQ(one.vm_dir, "/var/lib/12");
  EXPECT_EQ(one.disk_ids, std::vector<int>{0});
  EXPECT_TRUE(one.live);
  EXPECT_EQ(one.number("SCRATCH_FLOOR_MB", 1024), 7);
  EXPECT_EQ(one.number("AGENT_TIMEOUT", 10), 10);
  EXPECT_EQ(one.vm.backup.own_id(), 4);
  const auto again = HostRequest::parse(one.to_xml());
  EXPECT_EQ(again.to_xml(), one.to_xml());
}

TEST(HostRequest, RefusesPathsThatCouldHurt) {
  EXPECT_THROW(HostRequest::parse(document("var/lib/12", "/x/backup", "0")), BadRequest);
  EXPECT_THROW(HostRequest::parse(document("/var/../etc", "/x/backup", "0")), BadRequest);
  EXPECT_THROW(HostRequest::parse(document("/var/lib/12", "/etc", "0")), BadRequest);
  EXPECT_THROW(HostRequest::parse(document("/var/lib/12", "/x/backup", "1")), BadRequest);
  EXPECT_THROW(HostRequest::parse("<VM/>"), BadRequest);
}

TEST(HostRequest, TheDatastoreComesBeforeTheHostAndThatBeforeTheFrontEnd) {
  const auto text = document("/var/lib/12", "/var/lib/12/backup", "0",
                             "<EXPORT>copy</EXPORT><CPU_QUOTA>50</CPU_QUOTA>");
  const auto one = HostRequest::parse(
      text, {{"EXPORT", "view"}, {"SCRATCH_FLOOR_MB", "8"}, {"SCRATCH_PATH", ""}});
  EXPECT_EQ(one.setting("EXPORT", ""), "copy");
  EXPECT_EQ(one.number("SCRATCH_FLOOR_MB", 0), 8);
  EXPECT_EQ(one.number("CPU_QUOTA", 0), 50);
  EXPECT_EQ(one.setting("SCRATCH_PATH", "none"), "none");
  EXPECT_EQ(HostRequest::parse(one.to_xml()).to_xml(), one.to_xml());
}

TEST(HostRequest, ABridgeHasADirectoryOfItsOwnAndOnlyDisksInCeph) {
  auto one = HostRequest::parse(document("/vms/12", "/vms/12/backup", "0"));
  one.reader = "bridge1";
  EXPECT_EQ(HostRequest::parse(one.to_xml()).reader, "bridge1");
  EXPECT_THROW(HostRequest::parse(one.for_bridge().to_xml()), BadRequest);
  const auto in_ceph = vm.find("<TYPE>FILE</TYPE>");
  one.vm_xml = vm;
  one.vm_xml.replace(in_ceph, 17, "<TYPE>RBD</TYPE><SOURCE>one/one-7</SOURCE><CLONE>NO</CLONE>");
  const auto there = HostRequest::parse(one.for_bridge().to_xml());
  EXPECT_TRUE(there.bridge);
  EXPECT_EQ(there.reader, "");
  EXPECT_EQ(there.vm_dir, "/vms/12/bridge");
  EXPECT_EQ(there.backup_dir, "/vms/12/backup");
}

TEST(HostRequest, RefusesPathsInSettingsThatCouldHurt) {
  for (const std::string path : {"tmp", "/srv/../etc", "/a\nb"}) {
    EXPECT_THROW(HostRequest::parse(document("/vm", "/vm/backup", "0"), {{"SCRATCH_PATH", path}}),
                 BadRequest);
    EXPECT_THROW(HostRequest::parse(
                     document("/vm", "/vm/backup", "0", "<SOCKET_DIR>" + path + "</SOCKET_DIR>")),
                 BadRequest);
  }
}

TEST(HostRequest, AHostSaysOnlyWhatItMaySay) {
  const TempDir dir;
  const ScopedEnv file{"VMVAULT_HOST_CONF", (dir.path() / "host.conf").string()};
  EXPECT_TRUE(settings_of_this_host().empty());
  write_file(dir.path() / "host.conf", "EXPORT=copy\nRESTIC_LOCK_WAIT=1\nCPU_QUOTA=1\n");
  EXPECT_EQ(settings_of_this_host(), (Settings{{"EXPORT", "copy"}}));
}
