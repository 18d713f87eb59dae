// SPDX-License-Identifier: Apache-2.0
#include "common/command.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"
#include "common/test_env.h"

using std::chrono::seconds;

namespace {

std::string refusal(const Command& command) {
  try {
    command.output();
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

Command shell(std::string_view script) { return Command{"sh", "-c", script}; }

// As /proc has it; 0 if there is no such process.
char state_of(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  const std::string stat{std::istreambuf_iterator<char>{file}, {}};
  const auto name_end = stat.rfind(')');
  return name_end == stat.npos ? '\0' : stat.at(name_end + 2);
}

// Dead, or about to be collected by somebody else.
bool is_gone(pid_t pid) { return state_of(pid) == '\0' || state_of(pid) == 'Z'; }
bool stands_still(pid_t pid) { return state_of(pid) == 'T'; }

// A signal needs a moment to arrive; what never comes is not waited for without end.
bool comes_true(bool (*what)(pid_t), pid_t pid) {
  for (int i = 0; i < 3000; ++i) {
    if (what(pid)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return false;
}

}  // namespace

TEST(Command, PassesArgumentsUntouched) {
  EXPECT_EQ((Command{"printf", "%s|", "a b", "$HOME", "it's"}.output()), "a b|$HOME|it's|");
  EXPECT_EQ(Command{"printf"}.arg("%s").arg("").output(), "");
}

TEST(Command, GivesBackAStatusAsData) {
  const auto finished = shell("echo out; echo err >&2; exit 7").run();
  EXPECT_EQ(finished.status, 7);
  EXPECT_FALSE(finished.ok());
  EXPECT_EQ(finished.out, "out\n");
  EXPECT_EQ(finished.err, "err\n");
}

TEST(Command, TellsASignalFromAStatus) {
  EXPECT_EQ(shell("kill -9 $$").run().status, 128 + SIGKILL);
}

TEST(Command, QuotesTheLastWordsOfAFailure) {
  EXPECT_EQ(refusal(shell("echo noise >&2; echo 'it is locked' >&2; echo >&2; exit 11")),
            "'sh -c 'echo noise >&2; echo '\\''it is locked'\\'' >&2; echo >&2; exit 11'' ended "
            "with status 11: it is locked");
  EXPECT_EQ(refusal(Command{"false"}), "'false' ended with status 1");
}

TEST(Command, SaysWhichProgramIsMissing) {
  EXPECT_EQ(refusal(Command{"no-such-program"}),
            "cannot run 'no-such-program': No such file or directory");
}

TEST(Command, PrefersItsOwnEnvironment) {
  const ScopedEnv ours{"VMVAULT_TEST_NAME", "ours"};
  EXPECT_EQ((Command{"printenv", "VMVAULT_TEST_NAME"}.output()), "ours\n");
  Command printenv{"printenv", "VMVAULT_TEST_NAME"};
  EXPECT_EQ(printenv.env("VMVAULT_TEST_NAME", "its own").output(), "its own\n");
  EXPECT_EQ(printenv.env("VMVAULT_TEST_NAME", "the last").output(), "the last\n");
}

TEST(Command, NeverShowsTheEnvironment) {
  Command restic{"restic", "snapshots"};
  restic.env("RESTIC_PASSWORD", "hunter2");
  EXPECT_EQ(restic.display(), "restic snapshots");
}

TEST(Command, FeedsAndDrainsMoreThanAPipeHolds) {
  const std::string big(1 << 20, 'x');
  EXPECT_EQ(Command{"cat"}.input(big).output(), big);
  EXPECT_EQ(shell("head -c 1000000 /dev/zero >&2").run().err.size(), 1000000U);
}

TEST(Command, IsNotHurtByAChildThatDoesNotRead) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);  // as cancel::install() does
  EXPECT_EQ(Command{"true"}.input(std::string(1 << 20, 'x')).output(), "");
  std::signal(SIGPIPE, before);
}

TEST(Command, GivesTheChildAnEmptyInputUnlessThereIsOne) { EXPECT_EQ(Command{"cat"}.output(), ""); }

TEST(Command, HoldsTheInputOpenUntilTheChildEnds) {
  // What the second read says: 1 at the end of the file, more than 128 when its time is up.
  const auto second_read = [](const char* patience, bool hold) {
    Command bash{"bash", "-c", "read line; echo $line; read -t \"$0\" line; echo $?", patience};
    bash.input("request\n");
    if (hold) bash.hold_input();
    return bash.output();
  };
  EXPECT_EQ(second_read("60", false), "request\n1\n");
  EXPECT_EQ(second_read("0.1", true), "request\n142\n");
}

TEST(Command, LetsGoOfAHeldInputBeforeItSignals) {
  const TempDir dir;
  const auto note = dir.path() / "note";
  Command helper = shell("trap 'echo signal >>\"$0\"; exit' TERM; cat; echo undone >>\"$0\"");
  helper.arg(note.string()).input("request").hold_input().deadline(seconds{1});
  helper.stop_with({.signal = SIGTERM, .grace = seconds{60}});
  EXPECT_THROW(helper.run(), Error);
  EXPECT_EQ(read_file(note), "undone\n");
}

TEST(Command, SignalsAHelperThatDoesNotMindTheEndOfItsInput) {
  Command helper{"sleep", "600"};
  helper.hold_input().deadline(seconds{1}).stop_with({.signal = SIGTERM, .grace = seconds{1}});
  EXPECT_EQ(refusal(helper), "'sleep 600' did not end within 1 s");
}

TEST(Command, AnswersWhatAChildAsks) {
  std::vector<std::string> asked;
  const auto done = shell("read a; echo one; read b; echo $b; read c; [ $a.$b.$c = x.1.2 ]")
                        .input("x\n")
                        .hold_input()
                        .answers([&](std::string_view question) {
                          asked.emplace_back(question);
                          return std::to_string(asked.size()) + "\n";
                        })
                        .run();
  EXPECT_TRUE(done.ok());
  EXPECT_EQ(asked, (std::vector<std::string>{"one", "1"}));
  EXPECT_EQ(done.out, "");
}

TEST(Command, AnAnswerThatFailsEndsTheChildInItsOwnWayAndIsThrown) {
  const TempDir dir;
  const auto note = dir.path() / "note";
  Command helper{"bash", "-c", "echo what; echo more; cat; echo undone >$0"};
  int asked = 0;
  helper.arg(note.string()).hold_input().answers([&](std::string_view) -> std::string {
    ++asked;
    throw Error{"no answer"};
  });
  EXPECT_EQ(refusal(helper), "no answer");
  EXPECT_EQ(read_file(note), "undone\n");
  EXPECT_EQ(asked, 1);
}

TEST(Command, ADeafChildWithAHeldInputIsNotPolledForever) {
  // A held input that the child has closed: no processor time while it works on.
  const auto before = clock();
  const auto saved = std::signal(SIGPIPE, SIG_IGN);
  shell("exec <&-; sleep 1").hold_input().output();
  std::signal(SIGPIPE, saved);
  EXPECT_LT(clock() - before, CLOCKS_PER_SEC / 2);
}

TEST(Command, HandsOutLinesAsTheyCome) {
  std::vector<std::string> out, err;
  const auto finished = shell("printf 'one\\ntwo\\n\\nlast'; printf 'e1\\ne2\\n' >&2")
                            .out_lines([&](std::string_view line) { out.emplace_back(line); })
                            .err_lines([&](std::string_view line) { err.emplace_back(line); })
                            .run();
  EXPECT_EQ(out, (std::vector<std::string>{"one", "two", "", "last"}));
  EXPECT_EQ(err, (std::vector<std::string>{"e1", "e2"}));
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(finished.err, "e1\ne2\n");
}

TEST(Command, HandsALineOutWhileTheChildRuns) {
  const TempDir dir;
  const auto go = dir.path() / "go";
  Command child = shell("echo ready; while [ ! -e \"$0\" ]; do sleep 0.01; done");
  child.arg(go.string()).deadline(seconds{60}).out_lines([&](std::string_view) {
    write_file(go, "");
  });
  EXPECT_TRUE(child.run().ok());
}

TEST(Command, StopsTheChildOfACallbackThatThrows) {
  pid_t pid = -1;
  Command child = shell("echo $$; exec sleep 600");
  child.out_lines([&](std::string_view line) {
    pid = std::stoi(std::string{line});
    throw Error{"enough"};
  });
  EXPECT_THROW(child.run(), Error);
  EXPECT_TRUE(is_gone(pid));
}

TEST(Command, WritesStraightToADescriptor) {
  const TempDir dir;
  const auto path = dir.path() / "out";
  const auto finished =
      Command{"echo", "hello"}.write_to(open_file(path, O_WRONLY | O_CREAT).get()).run();
  EXPECT_EQ(finished.out, "");
  EXPECT_EQ(read_file(path), "hello\n");
}

TEST(Command, DoesNotWaitForWhatTheChildLeavesBehind) {
  // The leftover holds our pipe open; output() must return while it still runs.
  const auto leftover = std::stoi(shell("sleep 600 & echo $!").output());
  EXPECT_FALSE(is_gone(leftover));
  kill(leftover, SIGKILL);
}

TEST(Command, AnOutputWithoutEndIsAnError) {
  EXPECT_EQ(refusal(Command{"yes"}.most_output(1 << 20)), "'yes' said more than 1048576 bytes");
  // Whoever hands out lines keeps none, but has to wait for the end of each.
  int lines = 0;
  const auto count = [&](std::string_view) { ++lines; };
  EXPECT_EQ(shell("seq 300000").most_output(10).out_lines(count).output(), "");
  EXPECT_EQ(lines, 300000);
  EXPECT_NE(refusal(Command{"cat", "/dev/zero"}.most_output(1 << 20).out_lines(count)), "");
}

// It is as fast as we are, so that there is always something to read.
TEST(Command, WhoTalksWithoutEndStillHasADeadline) {
  const auto nothing = [](std::string_view) {};
  const std::chrono::milliseconds soon{300};
  EXPECT_NE(refusal(Command{"yes"}.out_lines(nothing).deadline(soon)), "");
  EXPECT_NE(refusal(shell("exec yes >&2").deadline(soon)), "");
  EXPECT_NE(refusal(shell("exec cat /dev/zero >&2").err_lines(nothing).deadline(soon)), "");
}

TEST(Command, KeepsTheEndOfWhatAChildComplainsAboutWithoutEnd) {
  std::size_t heard = 0;
  std::string last;
  const auto finished =
      shell("yes 1234567 | head -n 2000000 >&2; echo why >&2; exit 3")
          .err_lines([&](std::string_view line) { heard += line.size() + 1, last = line; })
          .run();
  EXPECT_EQ(last_line(finished.err), "why");
  EXPECT_LE(finished.err.size(), std::size_t{2} << 20);
  EXPECT_LE(heard, std::size_t{5} << 20);
  EXPECT_EQ(last, "WARN: what it says besides is too much, and left out");
}

TEST(Command, SaysThatADeadlineHasPassed) {
  EXPECT_EQ(refusal(Command{"sleep", "600"}.deadline(seconds{1})),
            "'sleep 600' did not end within 1 s");
}

TEST(Command, KillsAChildThatIgnoresTheDeadline) {
  pid_t pid = -1;
  for (int patience = 1; pid == -1 && patience < 100; patience *= 4) {  // until it ignores it
    Command child = shell("trap '' TERM; echo $$; while :; do sleep 600; done");
    child.out_lines([&](std::string_view line) { pid = std::stoi(std::string{line}); });
    child.deadline(seconds{patience}).stop_with({.signal = SIGTERM, .grace = seconds{1}});
    EXPECT_THROW(child.run(), Error);
  }
  ASSERT_NE(pid, -1);
  EXPECT_TRUE(is_gone(pid));
}

TEST(Command, StopsTheWholeGroup) {
  std::vector<pid_t> pids;
  // The first ends at SIGTERM, the second ignores it, and their parent ends at once.
  Command child = shell("sleep 600 & echo $!; (trap '' TERM; echo x; sleep 600) & echo $!; wait");
  int lines = 0;
  child.out_lines([&](std::string_view line) {
    if (line != "x") pids.push_back(std::stoi(std::string{line}));
    if (++lines == 3) throw Error{"all are there"};
  });
  EXPECT_THROW(child.run(), Error);
  ASSERT_EQ(pids.size(), 2U);
  for (const auto pid : pids) EXPECT_TRUE(comes_true(is_gone, pid));
}

TEST(Command, StopsWithTheSignalThatIsAskedFor) {
  const TempDir dir;
  const auto note = dir.path() / "note";
  Command child =
      shell("trap 'echo int >\"$0\"; exit' INT; echo ready; while :; do sleep 0.05; done");
  child.arg(note.string()).stop_with({.signal = SIGINT, .grace = seconds{60}});
  child.out_lines([](std::string_view) { throw Error{"enough"}; });
  EXPECT_THROW(child.run(), Error);
  EXPECT_EQ(read_file(note), "int\n");
}

TEST(Command, StopsTheChildAloneIfThatIsAskedFor) {
  const TempDir dir;
  const auto note = dir.path() / "note";
  // The child takes its time, so that its own child could say that it was asked, too.
  Command child = shell(
      "(trap 'echo own >>\"$0\"' USR1; while :; do sleep 0.05; done) & "
      "trap 'sleep 0.5; echo child >>\"$0\"; exit' USR1; echo ready; wait");
  child.arg(note.string()).stop_with({SIGUSR1, seconds{60}, Stop::Whom::child});
  child.out_lines([](std::string_view) { throw Error{"enough"}; });
  EXPECT_THROW(child.run(), Error);
  EXPECT_EQ(read_file(note), "child\n");
}

TEST(Command, AStoppedChildObeysToo) {
  const TempDir dir;
  const auto note = dir.path() / "note";
  Command child = shell("trap 'echo term >\"$0\"; exit' TERM; echo $$; kill -STOP $$; sleep 600");
  child.arg(note.string()).stop_with({SIGTERM, seconds{60}});
  child.out_lines([](std::string_view line) {
    EXPECT_TRUE(comes_true(stands_still, std::stoi(std::string{line})));
    throw Error{"it stands still"};
  });
  EXPECT_THROW(child.run(), Error);
  EXPECT_EQ(read_file(note), "term\n");
}

TEST(CommandOnHost, GoesThroughSsh) {
  const auto ssh = Command{"ls", "--", "a b", "it's"}.on("root@kvm1");
  EXPECT_EQ(ssh.argv(), (std::vector<std::string>{"ssh", "-o", "BatchMode=yes", "--", "root@kvm1",
                                                  "ls -- 'a b' 'it'\\''s'"}));
}

TEST(CommandOnHost, TakesItsInputAlong) {
  // A fake ssh, as sshd would run the words: by a shell.
  const TempDir dir;
  write_file(dir.path() / "ssh", "#!/bin/sh\nshift 4\nexec sh -c \"$1\"\n", 0700);
  const ScopedEnv path{"PATH", dir.path().string() + ":" + getenv("PATH")};
  EXPECT_EQ((Command{"sh", "-c", "cat; printf %s \"$1\"", "sh", "$HOME 'x'"}
                 .input("in ")
                 .on("h")
                 .output()),
            "in $HOME 'x'");
}

TEST(CommandOnHost, RefusesToDropASecretOnTheWay) {
  Command restic{"restic", "snapshots"};
  restic.env("RESTIC_PASSWORD", "hunter2");
  EXPECT_THROW(restic.on("host"), std::logic_error);
}

TEST(CommandOnHost, RefusesAHostThatIsNone) {
  for (const auto* host : {"", "-oProxyCommand=evil", "a b", "a\nb"})
    EXPECT_THROW(Command{"df"}.on(host), BadRequest) << host;
}

TEST(ShellQuote, LeavesPlainWordsAlone) {
  EXPECT_EQ(shell_quote("/var/lib/one"), "/var/lib/one");
  EXPECT_EQ(shell_quote(""), "''");
  EXPECT_EQ(shell_quote("it's $HOME"), "'it'\\''s $HOME'");
}

TEST(LastLine, IsTheLastThatIsNotBlank) {
  EXPECT_EQ(last_line("a\nb\n \n\n"), "b");
  EXPECT_EQ(last_line("a"), "a");
  EXPECT_EQ(last_line(" \n"), "");
  EXPECT_EQ(last_line(""), "");
}
