// SPDX-License-Identifier: Apache-2.0
#include "vmm/lib/state.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
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
                      .datastore_id = 100,
                      .live = true,
                      .location = {"kvm1", "/d"},
                      .words = {"kvm1:/d", "0", "one-12", "-", "12", "0"}};

  const TempDir dir_;

 private:
  std::optional<std::string> before_;
};

TEST_F(StateTest, TellsTheNextBackupWhatAnUndoNeeds) {
  vmm::State state{job_};
  state.enter("backup", seconds{60});
  const auto left = vmm::read_leftover(12);
  ASSERT_TRUE(left);
  EXPECT_EQ(left->pid, getpid());
  EXPECT_EQ(left->phase, "backup");
  EXPECT_EQ(left->job.tm_mad, "qcow2");
  EXPECT_EQ(left->job.ds_mad, "restic");
  EXPECT_TRUE(left->job.live);
  EXPECT_EQ(left->job.words, job_.words);
  EXPECT_FALSE(vmm::read_leftover(1));
}

TEST_F(StateTest, HowFarAKilledOneWasIsNotToldOfTheNext) {
  { const vmm::State makes_the_directory{job_}; }
  const auto progress = dir_.path() / "vmm" / "12.progress";
  write_file(progress, "{\"step\":\"upload\",\"done\":2,\"total\":2}\n");
  {
    const vmm::State state{job_};
    EXPECT_EQ(state.progress(), progress);
    EXPECT_FALSE(fs::exists(progress));
    write_file(progress, "{\"step\":\"upload\",\"done\":1,\"total\":2}\n");
  }
  EXPECT_FALSE(fs::exists(progress));
}

TEST_F(StateTest, TellsWhatMayBeStored) {
  vmm::State state{job_};
  EXPECT_EQ(vmm::read_leftover(12)->upload.run, "");
  state.uploads("00112233445566ff");
  state.stored("aaaa0000 1 raw");
  auto left = vmm::read_leftover(12);
  EXPECT_EQ(left->upload.run, "00112233445566ff");
  EXPECT_EQ(left->upload.reply, "aaaa0000 1 raw");
  EXPECT_EQ(left->job.datastore_id, 100);
  EXPECT_FALSE(left->answered);
  state.answers();
  EXPECT_TRUE(vmm::read_leftover(12)->answered);
}

TEST_F(StateTest, IsGoneBeforeAnAnswerThatItCannotTellOf) {
  vmm::State state{job_};
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  state.answers();
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(StateTest, ACopyIsOutdated) {
  const vmm::State state{job_};
  EXPECT_FALSE(vmm::read_leftover(12)->outdated);
  fs::copy_file(file(), dir_.path() / "vmm" / "13.json");
  EXPECT_TRUE(vmm::read_leftover(13)->outdated);
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
