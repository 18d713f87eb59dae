// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/pull_job.h"

#include <gtest/gtest.h>

#include "common/one/xml.h"
#include "tm/host/lib/checkpoints.h"

namespace host {

TEST(BackupXml, SaysForEveryDiskWhatIsToBeDone) {
  const PullOrder order{
      .socket = "/vm/tmp/a&b.sock",
      .disks = {{.target = "vda", .scratch = "/vm/tmp/vda.scratch", .since = "one-1-0"},
                {.target = "vdb", .scratch = "/vm/tmp/vdb.scratch", .since = {}}},
      .others = {"vdc"},
      .checkpoint = {}};
  EXPECT_EQ(
      backup_xml(order),
      "<domainbackup mode=\"pull\">"
      "<server transport=\"unix\" socket=\"/vm/tmp/a&amp;b.sock\"/>"
      "<disks>"
      "<disk name=\"vda\" backup=\"yes\" type=\"file\" exportname=\"vda\" "
      "backupmode=\"incremental\" incremental=\"one-1-0\" exportbitmap=\"vmvault-vda\">"
      "<driver type=\"qcow2\"/><scratch file=\"/vm/tmp/vda.scratch\"/></disk>"
      "<disk name=\"vdb\" backup=\"yes\" type=\"file\" exportname=\"vdb\" backupmode=\"full\">"
      "<driver type=\"qcow2\"/><scratch file=\"/vm/tmp/vdb.scratch\"/></disk>"
      "<disk name=\"vdc\" backup=\"no\"/>"
      "</disks></domainbackup>");
}

TEST(CheckpointXml, GivesTheBitmapItsOwnName) {
  EXPECT_EQ(checkpoint_xml("one-1-2", 1800000000, {"vda"}, {"vdb"}),
            "<domaincheckpoint><name>one-1-2</name><creationTime>1800000000</creationTime><disks>"
            "<disk name=\"vda\" checkpoint=\"bitmap\" bitmap=\"one-1-2\"/>"
            "<disk name=\"vdb\" checkpoint=\"no\"/></disks></domaincheckpoint>");
}

}  // namespace host
