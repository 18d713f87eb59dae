// SPDX-License-Identifier: Apache-2.0
// What becomes of the state when a process that writes it is killed.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "common/child.h"
#include "common/error.h"
#include "common/file.h"
#include "drivers/lib/store.h"

namespace state {
namespace {

class StoreCrashTest : public testing::Test {
 protected:
  StoreCrashTest() {
    Store store{file};
    store.put_datastore({.id = 100, .name = "default", .ds_mad = "restic"});
    vm = store.vm_for("u1", "web").id;
  }

  // A backup and a disk: both, or none.
  void add_pair(Store& store, int number) const {
    Attempt attempt;
    attempt.vm = vm;
    attempt.datastore = 100;
    attempt.disks = {0};
    attempt.started = number;
    store.begin(attempt);
    store.disk_id(vm, "vd" + std::to_string(number), "/s");
  }

  // Never returns; no destructor runs, no atexit().
  template <class Work>
  pid_t child(Work work) const {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    try {
      work();
    } catch (...) {
      _exit(3);
    }
    _exit(0);
  }

  static int end_of(pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  int disks() const {
    Store store{file};
    return store.database().execAndGet("SELECT count(*) FROM disks").getInt();
  }

  const TempDir dir;
  const std::filesystem::path file = dir.path() / "state.db";
  int vm = -1;
};

TEST_F(StoreCrashTest, AChangeThatIsCutOffIsNotThere) {
  const pid_t pid = child([&] {
    Store store{file};
    store.together([&] {
      add_pair(store, 1);
      raise(SIGKILL);
    });
  });
  EXPECT_EQ(end_of(pid), 128 + SIGKILL);
  EXPECT_EQ(disks(), 0);
  Store store{file};
  EXPECT_TRUE(store.unfinished().empty());
  store.together([&] { add_pair(store, 2); });
  EXPECT_EQ(disks(), 1);
  EXPECT_EQ(store.unfinished().size(), 1U);
}

TEST_F(StoreCrashTest, WhatWasSaidToBeThereIsThereWhenItIsKilled) {
  constexpr int rounds = 5;
  int said = 0;
  for (int round = 0; round < rounds; ++round) {
    Pipe pipe;
    const pid_t pid = child([&] {
      pipe.read.reset();
      std::signal(SIGPIPE, SIG_DFL);
      Store store{file};
      for (int number = said;; ++number) {
        store.together([&] { add_pair(store, number); });
        if (write(pipe.write.get(), ".", 1) != 1) _exit(4);
      }
    });
    pipe.write.reset();
    char byte;
    for (int i = 0; i < 3 + round; ++i) {
      ASSERT_EQ(read(pipe.read.get(), &byte, 1), 1);
      ++said;
    }
    kill(pid, SIGKILL);
    EXPECT_EQ(end_of(pid), 128 + SIGKILL);
    while (read(pipe.read.get(), &byte, 1) == 1) ++said;
    const int there = disks();
    EXPECT_GE(there, said);
    EXPECT_LE(there, said + 1) << "one may be there of which it could not speak any more";
    EXPECT_EQ(Store{file}.unfinished().size(), static_cast<std::size_t>(there));
    said = there;
  }
}

TEST_F(StoreCrashTest, AnErrorUndoesAllThatBelongsTogether) {
  Store store{file};
  EXPECT_THROW(store.together([&] {
    add_pair(store, 1);
    throw Error{"no"};
  }),
               Error);
  EXPECT_EQ(disks(), 0);
  store.together([&] { store.together([&] { add_pair(store, 1); }); });
  EXPECT_EQ(disks(), 1);
}

TEST_F(StoreCrashTest, AnotherProcessSeesAChangeWhole) {
  Pipe begun, go_on;
  const pid_t pid = child([&] {
    go_on.write.reset();
    Store store{file};
    store.together([&] {
      add_pair(store, 1);
      if (write(begun.write.get(), ".", 1) != 1) _exit(4);
      char byte;
      if (read(go_on.read.get(), &byte, 1) != 1) _exit(5);
    });
  });
  char byte;
  ASSERT_EQ(read(begun.read.get(), &byte, 1), 1);
  Store store{file};
  EXPECT_TRUE(store.unfinished().empty());
  ASSERT_EQ(write(go_on.write.get(), ".", 1), 1);
  EXPECT_EQ(end_of(pid), 0);
  EXPECT_EQ(store.unfinished().size(), 1U);
}

}  // namespace
}  // namespace state
