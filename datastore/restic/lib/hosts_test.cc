// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/hosts.h"

#include <gtest/gtest.h>

#include "common/file.h"
#include "common/test_env.h"

namespace restic {
namespace {

Repository repository(const std::string& id) {
  const Xml xml{
      "<DATASTORE><ID>100</ID><BASE_PATH>/b</BASE_PATH><TEMPLATE><RESTIC_PASSWORD>p"
      "</RESTIC_PASSWORD><RESTIC_BACKEND>LOCAL</RESTIC_BACKEND></TEMPLATE></DATASTORE>"};
  return Repository{Datastore{xml.root()}, id};
}

TEST(Hosts, AreKnownByTheirShortNameInTheirRepository) {
  const TempDir directory;
  const ScopedEnv var{"VMVAULT_VAR", directory.path()};
  const auto job = repository("job_4");
  EXPECT_EQ(known_host(job, "kvm1"), std::nullopt);
  note_host(job, "one@KVM1.example.org");
  note_host(job, "kvm12");
  note_host(job, "kvm12");
  EXPECT_EQ(known_host(job, "kvm1"), "one@KVM1.example.org");
  EXPECT_EQ(known_host(job, "kvm1.other.org"), "one@KVM1.example.org");
  EXPECT_EQ(known_host(job, "kvm12"), "kvm12");
  EXPECT_EQ(known_host(job, "kvm"), std::nullopt);
  EXPECT_EQ(known_host(repository("12"), "kvm1"), std::nullopt);
}

}  // namespace
}  // namespace restic
