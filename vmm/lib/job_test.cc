// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/job.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

Xml message(const std::string& command, const std::string& vm = "<ID>12</ID>") {
  return Xml{"<VMM_DRIVER_ACTION_DATA><TM_COMMAND>" + command + "</TM_COMMAND><VM>" + vm +
             "</VM><DATASTORE><DS_MAD><![CDATA[restic]]></DS_MAD></DATASTORE>"
             "</VMM_DRIVER_ACTION_DATA>"};
}

const std::string good = "BACKUP qcow2 kvm1:/var/lib/one//datastores/0/12 0:3 one-12 4 12 101\n";

TEST(Job, KeepsTheWordsAsTheyCame) {
  const Xml xml = message(good);
  const auto job = vmm::Job::backup(xml.root(), 12);
  EXPECT_EQ(job.words, (std::vector<std::string>{"kvm1:/var/lib/one//datastores/0/12", "0:3",
                                                 "one-12", "4", "12", "101"}));
  EXPECT_EQ(job.location.dir, "/var/lib/one/datastores/0/12");
  EXPECT_EQ(job.tm_mad, "qcow2");
  EXPECT_EQ(job.ds_mad, "restic");
}

TEST(Job, IsLiveInStateBackupAlone) {
  const auto live = [](const std::string& state) {
    const Xml xml = message(good, "<ID>12</ID><LCM_STATE>" + state + "</LCM_STATE>");
    return vmm::Job::backup(xml.root(), 12).live;
  };
  EXPECT_TRUE(live("69"));
  EXPECT_FALSE(live("70"));
  EXPECT_FALSE(live("3"));
}

TEST(Job, OfACancelHasTwoWords) {
  const Xml xml = message("BACKUPCANCEL qcow2 kvm1:/d one-12\n");
  EXPECT_EQ(vmm::Job::cancel(xml.root(), 12).words,
            (std::vector<std::string>{"kvm1:/d", "one-12"}));
  EXPECT_THROW(vmm::Job::backup(xml.root(), 12), BadRequest);
}

TEST(Documents, TellAFailureOnceAndOnlyToTheUndo) {
  const Xml xml = message(good, "<ID>12</ID><BACKUP_RESULT>SUCCESS</BACKUP_RESULT><X/>");
  EXPECT_EQ(vmm::vm_document(xml.root(), vmm::Result::failure),
            "<VM><ID>12</ID><X/><BACKUP_RESULT>FAILURE</BACKUP_RESULT></VM>");
  EXPECT_NE(vmm::vm_document(xml.root(), vmm::Result::success).find("SUCCESS"), std::string::npos);
}

TEST(DriverName, IsNoPathAndNoOption) {
  for (const auto name : {"qcow2", "fs_lvm_ssh", "a.b-c", "7"})
    EXPECT_TRUE(vmm::is_driver_name(name)) << name;
  for (const auto name : {"", ".", "..", ".x", "-x", "a/b", "/a", "a b", "Qcow2", "a\n", "a;b"})
    EXPECT_FALSE(vmm::is_driver_name(name)) << name;
}

}  // namespace
