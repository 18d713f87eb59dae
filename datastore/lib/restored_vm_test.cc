// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/restored_vm.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace {

std::string text_of(const std::string& vm_template_and_more, RestoredVm restored = {}) {
  restored.name = "12-aaaa0000";
  const Xml vm{"<VM>" + vm_template_and_more + "</VM>"};
  return to_client_text(vm_template(vm.root(), restored));
}

std::string of_template(const std::string& xml, RestoredVm restored = {}) {
  return text_of("<TEMPLATE>" + xml + "</TEMPLATE>", std::move(restored));
}

const std::string name = "NAME= \"12-aaaa0000\"\n";

}  // namespace

TEST(ImageTemplate, LooksAsTheCoresClientsWriteIt) {
  auto url =
      DiskUrl::parse("restic://100/4/0:aaaa0000/var/lib/one/datastores/0/12/backup/disk.0.0");
  EXPECT_EQ(image_template("12-aaaa0000", url),
            "NAME = \"12-aaaa0000-disk-0\"\nTYPE = \"OS\"\n\n"
            "PATH = \"restic://100/4/0:aaaa0000/var/lib/one/datastores/0/12/backup/disk.0.0\"\n"
            "FROM_BACKUP_DS = \"100\"\nBACKUP_JOB_ID = \"4\"\n");
  url.path = "/b/12/backup/disk.3.0";
  url.job_id.reset();
  EXPECT_EQ(image_template("a \"b\"", url),
            "NAME = \"a \\\"b\\\"-disk-3\"\nTYPE = \"DATABLOCK\"\n\n"
            "PATH = \"restic://100//0:aaaa0000/b/12/backup/disk.3.0\"\nFROM_BACKUP_DS = \"100\"\n");
}

TEST(VmTemplate, IsTheWorkedExample) {
  EXPECT_EQ(
      of_template(
          "<CONTEXT><DISK_ID>1</DISK_ID><ETH0_IP>1.2.3.4</ETH0_IP><NETWORK>YES</NETWORK>"
          "<PCI1_ADDRESS>x</PCI1_ADDRESS></CONTEXT><CPU>1</CPU>"
          "<DISK><IMAGE_ID>5</IMAGE_ID><DEV_PREFIX>vd</DEV_PREFIX><CACHE>none</CACHE>"
          "<DISK_ID>0</DISK_ID><TYPE>FILE</TYPE><SIZE>4096</SIZE><TARGET>vda</TARGET></DISK>"
          "<DISK><DISK_ID>2</DISK_ID><TYPE>fs</TYPE><TARGET>vdb</TARGET><SIZE>100</SIZE>"
          "<FORMAT>qcow2</FORMAT></DISK><MEMORY>512</MEMORY>"
          "<NIC><NETWORK>net</NETWORK><IP>1.2.3.4</IP><MAC>02:00</MAC><NIC_ID>0</NIC_ID></NIC>"
          "<OS><UUID>x</UUID></OS>"
          "<PCI><CLASS>0300</CLASS><DEVICE>1</DEVICE><VENDOR>10de</VENDOR>"
          "<SHORT_ADDRESS>01:00.0</SHORT_ADDRESS></PCI><VMID>12</VMID>",
          {.name = {}, .images = {{0, 55}}, .no_ip = true, .no_nic = false, .tpm = {}}),
      "CONTEXT=[\n    NETWORK=\"YES\"\n]\nCPU= \"1\"\n"
      "DISK=[\n    IMAGE_ID=\"55\",\n    DEV_PREFIX=\"vd\",\n    CACHE=\"none\"\n]\n"
      "DISK=[\n    TYPE=\"fs\",\n    SIZE=\"100\"\n]\nMEMORY= \"512\"\n"
      "NIC=[\n    NETWORK=\"net\"\n]\n"
      "PCI=[\n    CLASS=\"0300\",\n    DEVICE=\"1\",\n    VENDOR=\"10de\"\n]\n" +
          name);
}

TEST(VmTemplate, KeepsOneAddressOfAnInterface) {
  EXPECT_EQ(of_template("<NIC><IP>1.2.3.4</IP><IP6>fe80::1</IP6><MAC>02:00</MAC></NIC>"),
            "NIC=[\n    IP=\"1.2.3.4\"\n]\n" + name);
  EXPECT_EQ(of_template("<NIC><IP6>fe80::1</IP6><MAC>02:00</MAC></NIC>"),
            "NIC=[\n    IP6=\"fe80::1\"\n]\n" + name);
  EXPECT_EQ(of_template("<NIC><MAC>02:00</MAC></NIC>"), "NIC=[\n    MAC=\"02:00\"\n]\n" + name);
}

TEST(VmTemplate, MayHaveNoInterfaces) {
  EXPECT_EQ(of_template("<NIC><NETWORK>net</NETWORK></NIC><NIC_ALIAS><IP>1.2.3.4</IP></NIC_ALIAS>",
                        {.name = {}, .images = {}, .no_ip = false, .no_nic = true, .tpm = {}}),
            "NIC_ALIAS=[\n    IP=\"1.2.3.4\"\n]\n" + name);
}

TEST(VmTemplate, GivesEveryDiskWhatItWas) {
  // A volatile disk in the backup becomes an image; a swap disk and one of a CD stay what they are.
  EXPECT_EQ(
      of_template("<DISK><DISK_ID>2</DISK_ID><TYPE>fs</TYPE><SIZE>100</SIZE></DISK>"
                  "<DISK><DISK_ID>3</DISK_ID><TYPE>swap</TYPE><SIZE>64</SIZE></DISK>"
                  "<DISK><DISK_ID>4</DISK_ID><TYPE>CDROM</TYPE><IMAGE_ID>9</IMAGE_ID></DISK>",
                  {.name = {}, .images = {{2, 56}}, .no_ip = false, .no_nic = false, .tpm = {}}),
      "DISK=[\n    IMAGE_ID=\"56\"\n]\nDISK=[\n    TYPE=\"swap\",\n    SIZE=\"64\"\n]\n"
      "DISK=[\n    IMAGE_ID=\"9\"\n]\n" +
          name);
}

TEST(VmTemplate, TakesNoPersistentImageFromTheOriginal) {
  const std::string disk = "<DISK><DISK_ID>1</DISK_ID><TYPE>FILE</TYPE><IMAGE_ID>7</IMAGE_ID>";
  EXPECT_EQ(of_template(disk + "</DISK>"), "DISK=[\n    IMAGE_ID=\"7\"\n]\n" + name);
  EXPECT_EQ(of_template(disk + "<PERSISTENT>YES</PERSISTENT></DISK>"), name);
  EXPECT_EQ(of_template("<DISK><DISK_ID>x</DISK_ID></DISK>"), name);
}

TEST(VmTemplate, HoldsWhatTheUserHasAdded) {
  EXPECT_EQ(
      text_of("<TEMPLATE><CPU>1</CPU></TEMPLATE><USER_TEMPLATE><CPU>9</CPU>"
              "<ERROR>BACKUP: no</ERROR><LABELS>a \"b\" \\ c</LABELS><EMPTY/></USER_TEMPLATE>"),
      "CPU= \"1\"\nLABELS= \"a \\\"b\\\" \\ c\"\n" + name);
}

TEST(VmTemplate, HoldsTheStateOfATpm) {
  EXPECT_EQ(
      of_template("", {.name = {}, .images = {}, .no_ip = false, .no_nic = false, .tpm = "abc"}),
      name + "TPM_STATE= \"YWJj\"\n");
}

TEST(ClientText, IsXmlWhereTheTextCannotHoldAValue) {
  EXPECT_EQ(to_client_text({{"PATH", "C:\\"}, {"A", one::Pairs{{"B", "<"}}}}),
            "<TEMPLATE><PATH>C:\\</PATH><A><B>&lt;</B></A></TEMPLATE>");
}

TEST(ClientText, RefusesNamesThatAreNone) {
  EXPECT_THROW(to_client_text({{"A= \"1\"\nB", "x"}}), BadRequest);
  EXPECT_THROW(to_client_text({{"A", one::Pairs{{"", "x"}}}}), BadRequest);
}
