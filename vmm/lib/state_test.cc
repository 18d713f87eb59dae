// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/state.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "common/file.h"

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

class StateTest : public testing::Test {
 protected:
  StateTest() {
    if (const char* old = getenv("VMVAULT_VAR")) before_ = old;
    setenv("VMVAULT_VAR", dir_.path().c_str(), 1);
  }
  ~StateTest() override {
    if (before_)
      setenv("VMVAULT_VAR", before_->c_str(), 1);
    else
      unsetenv("VMVAULT_VAR");
  }

  fs::path file() const { return dir_.path() / "vmm" / "12.json"; }

  const vmm::Job job_{.vm_id = 12,
                      .tm_mad = "qcow2",
                      .ds_mad = "restic",
                      .live = true,
                      .location = {"kvm1", "/d"},
                      .words = {"kvm1:/d", "0", "one-12", "-", "12", "0"}};

 private:
  TempDir dir_;
  std::optional<std::string> before_;
};

TEST_F(StateTest, TellsTheNextBackupWhatAnUndoNeeds) {
  vmm::State state{job_};
  state.enter("backup", seconds{60});
  const auto left = vmm::read_leftover(12);
  ASSERT_TRUE(left);
  EXPECT_EQ(left->pid, getpid());
  EXPECT_EQ(left->phase, "backup");
  EXPECT_EQ(left->tm_mad, "qcow2");
  EXPECT_TRUE(left->live);
  EXPECT_EQ(left->words, job_.words);
  EXPECT_FALSE(vmm::read_leftover(1));
}

TEST_F(StateTest, IsGoneWithItsOwner) {
  { const vmm::State state{job_}; }
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(StateTest, BeatsWhileNothingElseHappens) {
  const vmm::State state{job_, milliseconds{1}};
  fs::remove(file());
  // Comes back by the heartbeat, however slow this machine is.
  for (int i = 0; i < 60'000 && !fs::exists(file()); ++i) usleep(1000);
  EXPECT_TRUE(vmm::read_leftover(12));
}

}  // namespace
