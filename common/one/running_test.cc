// SPDX-License-Identifier: Apache-2.0
#include "common/one/running.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "common/child.h"
#include "common/error.h"
#include "common/file.h"
#include "common/test_env.h"

namespace fs = std::filesystem;

namespace {

class RunningTest : public ::testing::Test {
 protected:
  fs::path file(const std::string& name) const { return var_.path() / "running" / name; }

 private:
  TempDir var_;
  ScopedEnv env_{"VMVAULT_VAR", var_.path()};
};

// Another process that is in a phase of a VM until it is stopped, and collected at the end.
class OtherProcess {
 public:
  OtherProcess(int vm_id, const std::string& phase) {
    Pipe ready;
    pid_ = fork();
    if (pid_ == 0) {
      signal(SIGTERM, SIG_DFL);
      const Running running{vm_id, phase};
      write_all(ready.write.get(), "x", "say so");
      for (;;) pause();
    }
    ready.write.reset();
    char byte;
    EXPECT_EQ(read(ready.read.get(), &byte, 1), 1);
  }
  OtherProcess(const OtherProcess&) = delete;
  ~OtherProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }
  // The signal that ended it; it is not collected yet.
  int ended_by() const {
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
    return info.si_status;
  }

 private:
  pid_t pid_;
};

}  // namespace

TEST_F(RunningTest, LastsAsLongAsTheObject) {
  {
    const Running running{12, "backup"};
    const auto found = workers(12);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].pid, getpid());
    EXPECT_EQ(found[0].phase, "backup");
    EXPECT_TRUE(workers(1).empty());
    EXPECT_TRUE(workers(120).empty());
  }
  EXPECT_TRUE(workers(12).empty());
  EXPECT_FALSE(fs::exists(file("12.backup")));
}

TEST_F(RunningTest, RefusesASecondWorkerInThePhase) {
  const OtherProcess other{12, "prebackup"};
  try {
    const Running running{12, "prebackup"};
    FAIL() << "two workers in one phase";
  } catch (const Error& e) {
    EXPECT_EQ(std::string{e.what()}, "VM 12 is already in the prebackup of a backup (process " +
                                         std::to_string(other.pid()) + ")");
  }
  EXPECT_EQ(workers(12).size(), 1U);  // the other one's file is still there
  const Running another_phase{12, "backup"}, another_vm{13, "prebackup"};
  EXPECT_EQ(workers(12).size(), 2U);
}

TEST_F(RunningTest, StopsTheWorkersOfAPhase) {
  const OtherProcess upload{12, "backup"}, keep{12, "postbackup"}, stranger{13, "backup"};
  EXPECT_EQ(stop_workers(12, {"prebackup", "backup"}), 1);
  EXPECT_EQ(upload.ended_by(), SIGTERM);
  ASSERT_EQ(workers(12).size(), 1U);
  EXPECT_EQ(workers(12)[0].pid, keep.pid());
  EXPECT_EQ(workers(13).size(), 1U);
}

TEST_F(RunningTest, ADeadProcessIsNoWorkerEvenBeforeItIsCollected) {
  const OtherProcess other{12, "backup"};
  kill(other.pid(), SIGKILL);
  other.ended_by();
  EXPECT_TRUE(workers(12).empty());
  EXPECT_EQ(stop_workers(12, {"backup"}), 0);
  const Running takes_its_place{12, "backup"};
  EXPECT_EQ(workers(12).size(), 1U);
}

TEST_F(RunningTest, WhatDeadProcessesHaveLeftGoesWithTheNextOneOfThatMachine) {
  { const Running makes_the_directory{12, "backup"}; }
  for (const auto* name : {"12.postbackup", "12.backup.x1", "13.backup"})
    write_file(file(name), "999999999 1 x\n");
  const Running next{12, "prebackup"};
  EXPECT_FALSE(fs::exists(file("12.postbackup")));
  EXPECT_FALSE(fs::exists(file("12.backup.x1")));
  EXPECT_TRUE(fs::exists(file("13.backup")));
}

TEST_F(RunningTest, AnotherProcessWithTheSameNumberIsNoWorker) {
  std::string text;
  {
    const Running running{12, "backup"};
    text = read_file(file("12.backup"));
  }
  const OtherProcess bystander{99, "backup"};
  const auto start = text.substr(text.find(' '));
  for (const auto& stale :
       {std::to_string(bystander.pid()) + " 1" + start.substr(start.rfind(' ')),
        std::string{"-1 1 x\n"}, std::string{"0" + start}, std::string{"garbage"}, std::string{}}) {
    write_file(file("12.backup"), stale);
    EXPECT_EQ(stop_workers(12, {"backup"}), 0) << stale;
    EXPECT_TRUE(workers(12).empty()) << stale;
  }
  EXPECT_EQ(workers(99).size(), 1U);
}

TEST_F(RunningTest, AProcessOfAnEarlierBootIsNoWorker) {
  const Running running{12, "backup"};
  auto text = read_file(file("12.backup"));
  text.replace(text.size() - 2, 1, text[text.size() - 2] == '0' ? "1" : "0");
  write_file(file("13.backup"), text);
  EXPECT_TRUE(workers(13).empty());
  EXPECT_EQ(workers(12).size(), 1U);
}

TEST_F(RunningTest, DoesNotStopItself) {
  const Running running{12, "orchestrator"};
  EXPECT_EQ(stop_workers(12, {"orchestrator"}), 0);
}
