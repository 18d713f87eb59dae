// SPDX-License-Identifier: Apache-2.0
#include "common/one/vm.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

constexpr auto running = R"(<VM>
 <ID>2</ID>
 <NAME>vm1</NAME>
 <STATE>3</STATE>
 <LCM_STATE>69</LCM_STATE>
 <DEPLOY_ID>23401b18-2886-42e0-8639-73a62b52342b</DEPLOY_ID>
 <TEMPLATE>
  <CPU><![CDATA[0.1]]></CPU>
  <DISK>
   <DISK_ID><![CDATA[0]]></DISK_ID>
   <DISK_TYPE><![CDATA[FILE]]></DISK_TYPE>
   <FORMAT><![CDATA[qcow2]]></FORMAT>
   <SIZE><![CDATA[1024]]></SIZE>
   <SOURCE><![CDATA[/var/lib/one//datastores/100/15c09d5e]]></SOURCE>
   <TARGET><![CDATA[vda]]></TARGET>
   <TM_MAD><![CDATA[qcow2]]></TM_MAD>
   <TYPE><![CDATA[FILE]]></TYPE>
  </DISK>
  <DISK>
   <DISK_ID><![CDATA[2]]></DISK_ID>
   <TYPE><![CDATA[fs]]></TYPE>
   <TARGET><![CDATA[vdb]]></TARGET>
   <SIZE><![CDATA[100]]></SIZE>
   <FORMAT><![CDATA[RAW]]></FORMAT>
  </DISK>
 </TEMPLATE>
 <BACKUPS>
  <BACKUP_CONFIG>
   <BACKUP_VOLATILE><![CDATA[NO]]></BACKUP_VOLATILE>
   <FS_FREEZE><![CDATA[AGENT]]></FS_FREEZE>
   <INCREMENT_MODE><![CDATA[CBT]]></INCREMENT_MODE>
   <LAST_BRIDGE><![CDATA[bridge1]]></LAST_BRIDGE>
   <LAST_DATASTORE_ID><![CDATA[102]]></LAST_DATASTORE_ID>
   <LAST_INCREMENT_ID><![CDATA[4]]></LAST_INCREMENT_ID>
   <MODE><![CDATA[INCREMENT]]></MODE>
  </BACKUP_CONFIG>
  <BACKUP_IDS><ID>4</ID></BACKUP_IDS>
 </BACKUPS>
</VM>)";

Vm parse(const std::string& text) { return Vm::parse(Xml{text}.root()); }

Vm with_config(const std::string& config) {
  return parse("<VM><ID>1</ID><BACKUPS><BACKUP_CONFIG>" + config +
               "</BACKUP_CONFIG></BACKUPS></VM>");
}

Vm with_disk(const std::string& disk) {
  return parse("<VM><ID>1</ID><TEMPLATE><DISK>" + disk + "</DISK></TEMPLATE></VM>");
}

}  // namespace

TEST(Vm, ReadsWhatTheCoreSends) {
  const Vm vm = parse(running);
  EXPECT_EQ(vm.id, 2);
  EXPECT_EQ(vm.name, "vm1");
  EXPECT_EQ(vm.deploy_id, "23401b18-2886-42e0-8639-73a62b52342b");
  EXPECT_TRUE(vm.running());
  EXPECT_FALSE(vm.failed);
  EXPECT_FALSE(vm.has_tpm);
  ASSERT_EQ(vm.disks.size(), 2U);
  EXPECT_EQ(vm.disk(0).target, "vda");
  EXPECT_EQ(vm.disk(0).size_mb, 1024);
  EXPECT_EQ(vm.disk(0).source, "/var/lib/one//datastores/100/15c09d5e");
  EXPECT_EQ(vm.disk(0).tm_mad, "qcow2");
}

TEST(Vm, BringsWordsIntoOneCase) {
  const Vm vm = parse(running);
  EXPECT_EQ(vm.disk(2).type, "FS");
  EXPECT_EQ(vm.disk(2).format, "raw");
}

TEST(Vm, ReadsTheBackupConfiguration) {
  const BackupConfig backup = parse(running).backup;
  EXPECT_EQ(backup.mode, Mode::increment);
  EXPECT_EQ(backup.increment_mode, IncrementMode::cbt);
  EXPECT_EQ(backup.freeze, Freeze::agent);
  EXPECT_EQ(backup.last_datastore_id, 102);
  EXPECT_EQ(backup.last_bridge, "bridge1");
  EXPECT_EQ(backup.parent_id(), 4);
  EXPECT_EQ(backup.own_id(), 5);
}

TEST(Vm, AFullBackupHasNoParentWhateverCameBefore) {
  const auto backup =
      with_config("<MODE>FULL</MODE><LAST_INCREMENT_ID>4</LAST_INCREMENT_ID>").backup;
  EXPECT_EQ(backup.parent_id(), -1);
  EXPECT_EQ(backup.own_id(), 0);
}

TEST(Vm, TheFirstIncrementIsNumberZero) {
  const auto backup =
      with_config("<MODE>INCREMENT</MODE><LAST_INCREMENT_ID>-1</LAST_INCREMENT_ID>").backup;
  EXPECT_EQ(backup.parent_id(), -1);
  EXPECT_EQ(backup.own_id(), 0);
}

TEST(Vm, FallsBackOnUnknownWords) {
  const auto backup = with_config(
                          "<MODE>X</MODE><INCREMENT_MODE>X</INCREMENT_MODE>"
                          "<FS_FREEZE>X</FS_FREEZE>")
                          .backup;
  EXPECT_EQ(backup.mode, Mode::full);
  EXPECT_EQ(backup.increment_mode, IncrementMode::cbt);
  EXPECT_EQ(backup.freeze, Freeze::none);
}

TEST(Vm, DoesWithoutABackupConfiguration) {
  EXPECT_EQ(parse("<VM><ID>1</ID></VM>").backup.mode, Mode::full);
  EXPECT_EQ(parse("<VM><ID>1</ID><BACKUPS><BACKUP_CONFIG/></BACKUPS></VM>").backup.own_id(), 0);
}

TEST(BackupConfig, KeepsTheParentOrTheChainBeforeAFirstOne) {
  const auto kept = [](Mode mode, int last, int previous) {
    return BackupConfig{.mode = mode,
                        .last_increment_id = last,
                        .previous_increment_id = previous,
                        .last_bridge = {}}
        .kept_id();
  };
  EXPECT_EQ(kept(Mode::increment, 4, 9), 4);
  EXPECT_EQ(kept(Mode::increment, -1, 9), 9);
  EXPECT_EQ(kept(Mode::increment, -1, 0), -1) << "the first one's own marks have that number";
  EXPECT_EQ(kept(Mode::increment, -1, -1), -1);
  EXPECT_EQ(kept(Mode::full, 4, 9), -1);
}

TEST(Vm, KnowsThatAnEarlierStepFailed) {
  EXPECT_TRUE(parse("<VM><ID>1</ID><BACKUP_RESULT>FAILURE</BACKUP_RESULT></VM>").failed);
}

TEST(Vm, KnowsItsTpm) {
  EXPECT_TRUE(parse("<VM><ID>1</ID><TEMPLATE><TPM><MODEL><![CDATA[tpm-crb]]></MODEL></TPM>"
                    "</TEMPLATE></VM>")
                  .has_tpm);
}

TEST(Vm, RefusesIdsThatAreNone) {
  EXPECT_THROW(parse("<VM/>"), BadRequest);
  EXPECT_THROW(parse("<VM><ID>-1</ID></VM>"), BadRequest);
  EXPECT_THROW(parse("<VM><ID>1; rm -rf /</ID></VM>"), BadRequest);
  EXPECT_THROW(parse("<IMAGE><ID>1</ID></IMAGE>"), BadRequest);
  EXPECT_THROW(with_disk("<TARGET>vda</TARGET>"), BadRequest);
  EXPECT_THROW(with_disk("<DISK_ID>../0</DISK_ID>"), BadRequest);
  EXPECT_THROW(with_config("<LAST_INCREMENT_ID>x</LAST_INCREMENT_ID>"), BadRequest);
  EXPECT_THROW(with_config("<LAST_INCREMENT_ID>-2</LAST_INCREMENT_ID>"), BadRequest);
  EXPECT_THROW(with_config("<CAPTURE>../1</CAPTURE>"), BadRequest);
  EXPECT_THROW(with_config("<CAPTURE>" + std::string(33, 'a') + "</CAPTURE>"), BadRequest);
}

TEST(Vm, RefusesATargetThatIsNoDevice) {
  for (const auto* target : {"vda'/&gt;", "../vda", "v da", "-vda", "vda,file=/etc/passwd"})
    EXPECT_THROW(with_disk("<DISK_ID>0</DISK_ID><TARGET>" + std::string{target} + "</TARGET>"),
                 BadRequest)
        << target;
  EXPECT_EQ(with_disk("<DISK_ID>0</DISK_ID>").disk(0).target, "");
}

TEST(Vm, NamesTheDiskItDoesNotHave) {
  try {
    parse(running).disk(7);
    FAIL() << "disk 7 was found";
  } catch (const BadRequest& e) {
    EXPECT_STREQ(e.what(), "VM 2 has no disk 7");
  }
}

TEST(DiskIds, AreReadInTheirOrder) {
  EXPECT_EQ(parse_disk_ids("0"), (std::vector{0}));
  EXPECT_EQ(parse_disk_ids("5:0:2"), (std::vector{5, 0, 2}));
  EXPECT_EQ(parse_disk_ids("0:2:"), (std::vector{0, 2}));  // OpenNebula 6
}

TEST(DiskIds, RefuseAnythingElse) {
  for (const auto* text : {"", ":", "0::2", "0:2::", "a", "0,2", "-1", "0:2:0", " 0"})
    EXPECT_THROW(parse_disk_ids(text), BadRequest) << text;
}

TEST(Vm, NamesTheImagesOfItsDisksInCeph) {
  const auto rbd = [](const std::string& disk) {
    const Xml xml{"<VM><ID>42</ID><TEMPLATE><DISK><DISK_ID>1</DISK_ID><TARGET>vdb</TARGET>" + disk +
                  "<CEPH_USER>libvirt</CEPH_USER><CEPH_KEY>/k</CEPH_KEY></DISK></TEMPLATE></VM>"};
    return Vm::parse(xml.root()).disk(1);
  };
  EXPECT_EQ(rbd("<TYPE>RBD</TYPE><SOURCE>one/one-7</SOURCE><CLONE>YES</CLONE>").rbd,
            "one/one-7-42-1");
  EXPECT_EQ(rbd("<TYPE>RBD</TYPE><SOURCE>one/one-7</SOURCE><CLONE>NO</CLONE>").rbd, "one/one-7");
  for (const std::string type : {"fs", "FS", "swap"})
    EXPECT_EQ(
        rbd("<TYPE>" + type + "</TYPE><DISK_TYPE>RBD</DISK_TYPE><POOL_NAME>one</POOL_NAME>").rbd,
        "one/one-sys-42-1");
  EXPECT_EQ(rbd("<TYPE>fs</TYPE><DISK_TYPE>FILE</DISK_TYPE>").rbd, "");
  EXPECT_EQ(rbd("<TYPE>FILE</TYPE><SOURCE>/x</SOURCE>").rbd, "");
  EXPECT_EQ(rbd("<TYPE>RBD</TYPE><SOURCE>one/one-7</SOURCE>").ceph_user, "libvirt");
  EXPECT_EQ(rbd("<TYPE>RBD</TYPE><SOURCE>one/one-7</SOURCE>").ceph_key_file, "/k");
}

TEST(Vm, NamesTheVolumesOfItsDisksInLvm) {
  const auto lvm = [](const std::string& disk) {
    const Xml xml{
        "<VM><ID>42</ID><TEMPLATE><DISK><DISK_ID>0</DISK_ID><TYPE>FILE</TYPE></DISK>"
        "<DISK><DISK_ID>1</DISK_ID>" +
        disk +
        "</DISK>"
        "<DISK><DISK_ID>2</DISK_ID><TM_MAD>lvm</TM_MAD><DATASTORE_ID>104</DATASTORE_ID></DISK>"
        "</TEMPLATE><HISTORY_RECORDS><HISTORY><DS_ID>100</DS_ID></HISTORY>"
        "<HISTORY><DS_ID>101</DS_ID></HISTORY></HISTORY_RECORDS></VM>"};
    const auto found = Vm::parse(xml.root()).disk(1);
    return std::pair{found.lvm, found.lvm_pool};
  };
  using Names = std::pair<std::string, std::string>;
  const std::string block =
      "<TYPE>BLOCK</TYPE><IMAGE_ID>7</IMAGE_ID><DATASTORE_ID>103</DATASTORE_ID>";
  EXPECT_EQ(lvm(block + "<TM_MAD>lvm</TM_MAD>"),
            (Names{"vg-one-103/vm-one-42-1", "vm-one-42-pool"}));
  EXPECT_EQ(lvm(block + "<TM_MAD>lvm</TM_MAD><PERSISTENT>YES</PERSISTENT>"),
            (Names{"vg-one-103/img-one-7", "img-one-7-pool"}));
  EXPECT_EQ(lvm(block + "<TM_MAD>fs_lvm_ssh</TM_MAD><LVM_THIN_ENABLE>yes</LVM_THIN_ENABLE>"),
            (Names{"vg-one-101/lv-one-42-1", "lv-one-42-pool"}));
  EXPECT_EQ(lvm(block + "<TM_MAD>fs_lvm_ssh</TM_MAD>"), (Names{"vg-one-101/lv-one-42-1", ""}));
  EXPECT_EQ(lvm("<TYPE>fs</TYPE><DISK_TYPE>BLOCK</DISK_TYPE><TM_MAD>lvm</TM_MAD>"),
            (Names{"vg-one-104/vm-one-42-1", "vm-one-42-pool"}));
  EXPECT_EQ(lvm("<TYPE>FS</TYPE><DISK_TYPE>FILE</DISK_TYPE><TM_MAD>lvm</TM_MAD>"), (Names{"", ""}));
  EXPECT_EQ(lvm("<TYPE>FILE</TYPE><TM_MAD>fs_lvm_ssh</TM_MAD>"), (Names{"", ""}));
  EXPECT_EQ(lvm(block + "<TM_MAD>dev</TM_MAD>"), (Names{"", ""}));
}

TEST(Freeze, IsReadBackFromItsText) {
  for (const auto freeze : {Freeze::none, Freeze::agent, Freeze::suspend})
    EXPECT_EQ(parse_freeze(to_text(freeze)), freeze);
  EXPECT_EQ(parse_freeze("agent"), Freeze::agent);
}
