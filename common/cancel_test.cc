// SPDX-License-Identifier: Apache-2.0
#include "common/cancel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "common/command.h"
#include "common/error.h"
#include "common/file.h"

namespace {

// What a process answers that has installed the handler: it lasts as long as a process does.
// The answer is a small number; -1 when it died of a signal.
int in_a_process(const std::function<int()>& body) {
  const pid_t pid = fork();
  if (pid == 0) {
    int answer = 99;
    try {
      cancel::install();
      answer = body();
    } catch (const Error& e) {
      answer = static_cast<int>(e.exit());
    }
    _exit(answer);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr int cancelled = 143;

}  // namespace

TEST(Cancel, IsRequestedByEachOfTheSignals) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP})
    EXPECT_EQ(in_a_process([&] {
                if (cancel::requested()) return 1;
                raise(signal);
                if (!cancel::requested() || !cancel::requested()) return 2;
                cancel::check();
                return 3;
              }),
              cancelled)
        << signal;
}

TEST(Cancel, IgnoresABrokenPipe) {
  EXPECT_EQ(in_a_process([] {
              Pipe pipe;
              pipe.read.reset();
              return write(pipe.write.get(), "x", 1) == -1 && errno == EPIPE ? 0 : 1;
            }),
            0);
}

TEST(Cancel, IsRequestedByTheEndOfAWatchedPipe) {
  EXPECT_EQ(in_a_process([] {
              Pipe pipe;
              cancel::watch(pipe.read.get());
              write_all(pipe.write.get(), "more", "write");
              if (cancel::requested()) return 1;
              pipe.write.reset();
              return cancel::requested() ? 0 : 2;
            }),
            0);
}

TEST(Cancel, IsRequestedByTheEndOfAWatchedSocket) {
  EXPECT_EQ(in_a_process([] {
              int ends[2];
              if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return 1;
              cancel::watch(ends[0]);
              write_all(ends[1], "more", "write");
              if (cancel::requested()) return 2;
              shutdown(ends[1], SHUT_WR);
              return cancel::requested() ? 0 : 3;
            }),
            0);
}

TEST(Cancel, IsNotRequestedByAFileThatHasNoEnd) {
  EXPECT_EQ(in_a_process([] {
              const Fd nothing = open_file("/dev/null", O_RDONLY);
              cancel::watch(nothing.get());
              return cancel::requested() ? 1 : 0;
            }),
            0);
}

TEST(Cancel, StopsAChild) {
  const TempDir dir;
  EXPECT_EQ(in_a_process([&] {
              Command child{"sh", "-c",
                            "trap 'echo stopped >\"$0\"; exit' TERM; echo ready; "
                            "while :; do sleep 0.05; done",
                            (dir.path() / "note").string()};
              child.out_lines([](std::string_view) { raise(SIGTERM); });
              child.run();
              return 0;
            }),
            cancelled);
  EXPECT_EQ(read_file(dir.path() / "note"), "stopped\n");
}

TEST(Cancel, AnAnswerThatCountsIsHeardAllTheSame) {
  const auto answer = [](const char* last) {
    return in_a_process([&] {
      Command child{"sh", "-c", last};
      child.err_lines([](std::string_view) { raise(SIGTERM); }).answer_counts();
      return child.run().out == "stored\n" ? 0 : 1;
    });
  };
  EXPECT_EQ(answer("trap 'echo stored; exit 0' TERM; echo x >&2; while :; do sleep 0.05; done"), 0);
  EXPECT_EQ(answer("trap 'echo stored; exit 3' TERM; echo x >&2; while :; do sleep 0.05; done"),
            cancelled);
}

TEST(Cancel, HasAnAge) {
  EXPECT_EQ(in_a_process([] {
              if (cancel::age().count() != 0) return 1;
              raise(SIGTERM);
              cancel::requested();
              usleep(20'000);
              return cancel::age() >= std::chrono::milliseconds{20} ? 0 : 2;
            }),
            0);
}

TEST(Cancel, TheEndOfTheWatchedPipeStopsAChild) {
  EXPECT_EQ(in_a_process([] {
              Pipe pipe;
              cancel::watch(pipe.read.get());
              Command child{"sh", "-c", "echo ready; exec sleep 600"};
              child.out_lines([&](std::string_view) { pipe.write.reset(); });
              child.run();
              return 0;
            }),
            cancelled);
}

TEST(Cancel, DoesNotStopAShieldedChild) {
  EXPECT_EQ(in_a_process([] {
              raise(SIGTERM);
              return Command{"sh", "-c", "exit 7"}.shielded().run().status;
            }),
            7);
  EXPECT_EQ(in_a_process([] {
              raise(SIGTERM);
              Command{"sleep", "600"}.shielded().deadline(std::chrono::seconds{1}).run();
              return 0;
            }),
            1);  // but its deadline does
}

TEST(Cancel, ChildrenHaveTheSignalsAsTheyWere) {
  // Blocked or ignored, the shell could not be ended so.
  EXPECT_EQ(in_a_process([] {
              return Command{"sh", "-c", "kill -TERM $$; echo alive"}.run().status;
            }),
            128 + SIGTERM);
  EXPECT_EQ(in_a_process([] {
              return Command{"sh", "-c", "kill -PIPE $$; echo alive"}.run().status;
            }),
            128 + SIGPIPE);
}

TEST(Cancel, EndsTheWaitForALock) {
  const TempDir dir;
  const auto held = FileLock::try_lock(dir.path() / "lock");
  EXPECT_EQ(in_a_process([&] {
              raise(SIGTERM);
              FileLock::lock(dir.path() / "lock", std::chrono::seconds{600}, "it");
              return 0;
            }),
            cancelled);
}
