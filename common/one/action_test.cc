// SPDX-License-Identifier: Apache-2.0
#include "common/one/action.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

#include "common/base64.h"
#include "common/cancel.h"
#include "common/command.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/manual.h"

namespace {

constexpr Contract contract{
    .name = "tm/test/act",
    .summary = "try an action",
    .args = "HOST:DIR VM_ID [JOB]",
    .input = Input::xml,
    .reply = "C<id>, always.",
};

constexpr Contract with(Input input) {
  Contract c = contract;
  c.input = input;
  return c;
}

const std::vector<std::string> words{"kvm1:/d", "12"};

// An action in a process of its own, as run_action() needs it.
class Process {
 public:
  Process(const Contract& c, std::vector<std::string> args, int in, const Action& action,
          const char* out = nullptr) {
    sigset_t term, before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);  // one that comes early must wait for install()
    pid_ = fork();
    if (pid_ == 0) run(c, std::move(args), in, out ? out : path("out"), action);
    sigprocmask(SIG_SETMASK, &before, nullptr);
  }

  pid_t pid() const { return pid_; }

  Finished wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
            read_file_if_any(path("out")).value_or(""), read_file(path("err"))};
  }

 private:
  std::string path(const char* name) const { return dir_.path() / name; }

  [[noreturn]] void run(const Contract& c, std::vector<std::string> args, int in,
                        const std::string& out, const Action& action) {
    dup2(in, STDIN_FILENO);
    dup2(open_file(out, O_WRONLY | O_CREAT).get(), STDOUT_FILENO);
    dup2(open_file(path("err"), O_WRONLY | O_CREAT).get(), STDERR_FILENO);
    std::vector<char*> argv;
    args.insert(args.begin(), "/r/tm/test/act");
    for (auto& arg : args) argv.push_back(arg.data());
    _exit(run_action(c, static_cast<int>(argv.size()), argv.data(), action));
  }

  TempDir dir_;
  pid_t pid_;
};

Finished run(const Contract& c, const std::vector<std::string>& args, const std::string& input,
             const Action& action, const char* out = nullptr) {
  const TempDir dir;
  write_file(dir.path() / "in", input);
  const Fd in = open_file(dir.path() / "in", O_RDONLY);
  return Process{c, args, in.get(), action, out}.wait();
}

std::string reply_id(const Request& request) { return request.xml().at("/VM/ID"); }

Action fail_with(const std::string& what) {
  return [what](const Request&) -> std::string { throw Error{what}; };
}

}  // namespace

TEST(Action, PrintsTheReplyWithANewline) {
  const auto done = run(contract, words, "<VM><ID>12</ID></VM>", reply_id);
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.out, "12\n");
  EXPECT_EQ(done.err, "");
}

TEST(Action, PrintsNothingForAnEmptyReply) {
  EXPECT_EQ(run(contract, words, "<VM/>", [](const Request&) { return ""; }).out, "");
}

TEST(Action, DecodesTheRequest) {
  const auto input = base64_encode("<VM><ID>12</ID></VM>");
  EXPECT_EQ(run(with(Input::base64_xml), words, input, reply_id).out, "12\n");
  EXPECT_EQ(run(with(Input::base64_xml), words, input + "\n", reply_id).out, "12\n");
  EXPECT_EQ(run(with(Input::base64_xml), words, "<VM/>", reply_id).status, 2);
}

TEST(Action, DoesNotReadWhatIsNotThere) {
  const Pipe never_closed;
  const auto done = Process{
      with(Input::none), words, never_closed.read.get(), [](const Request& r) {
        EXPECT_THROW(r.xml(), std::logic_error);
        return r["VM_ID"];
      }}.wait();
  EXPECT_EQ(done.out, "12\n");
}

TEST(Action, NamesItsArguments) {
  const auto show = [](const Request& r) {
    return r["HOST:DIR"] + "|" + std::to_string(r.number("VM_ID")) + "|" + r["JOB"] + "|" +
           std::to_string(r.words().size());
  };
  EXPECT_EQ(run(contract, {"h:/d", "12"}, "<VM/>", show).out, "h:/d|12||2\n");
  EXPECT_EQ(run(contract, {"h:/d", "12", "4"}, "<VM/>", show).out, "h:/d|12|4|3\n");
  EXPECT_EQ(run(contract, {"h:/d", "12", "4", "extra"}, "<VM/>", show).out, "h:/d|12|4|4\n");
  EXPECT_EQ(run(contract, {"h:/d", "12x"}, "<VM/>", show).err,
            "the argument VM_ID is not a number\n");
}

TEST(Action, SaysWhichArgumentsItExpects) {
  const auto done = run(contract, {"kvm1:/d"}, "<VM/>", reply_id);
  EXPECT_EQ(done.status, 2);
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(done.err, "expected the arguments: HOST:DIR VM_ID [JOB]\n");
}

TEST(Action, FailsInOnePlainLine) {
  const auto done = run(contract, words, "<VM/>", fail_with("it\n broke\x1b[31m"));
  EXPECT_EQ(done.status, 1);
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(done.err, "it broke [31m\n");
}

TEST(Action, FailsInALineThatTheCoreShows) {
  for (const auto* what : {"-x", "ERROR: x", "INFO: 12 x", ""})
    EXPECT_TRUE(run(contract, words, "<VM/>", fail_with(what)).err.starts_with("tm/test/act"))
        << what;
}

TEST(Action, FailsOnItsOwnMistakesToo) {
  const auto done = run(contract, words, "<VM/>", [](const Request& r) { return r["NONE"]; });
  EXPECT_EQ(done.status, 1);
  EXPECT_EQ(done.err, "internal error: the contract has no argument NONE\n");
}

TEST(Action, FailsWhereAFileCannotBeUsed) {
  const auto done = run(contract, words, "<VM/>", [](const Request&) {
    std::filesystem::create_directory("/nonexistent/a");
    return std::string{};
  });
  EXPECT_EQ(done.status, 1);
  EXPECT_EQ(done.err, "cannot use '/nonexistent/a': No such file or directory\n");
}

TEST(Action, ThatMustNotFailReports) {
  Contract c = contract;
  c.failure = Failure::reported;
  const auto done = run(c, words, "<VM/>", fail_with("it broke"));
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.out, "");
  EXPECT_TRUE(done.err.starts_with("ERROR: "));
  EXPECT_TRUE(done.err.ends_with(": it broke\n"));
}

TEST(Action, FailsWhenNobodyGetsTheReply) {
  const auto done = run(contract, words, "<VM><ID>12</ID></VM>", reply_id, "/dev/full");
  EXPECT_EQ(done.status, 1);
  EXPECT_EQ(done.err, "cannot write the reply: No space left on device\n");
}

TEST(Action, StartedWithClosedDescriptorsWritesIntoNoFileOfItsOwn) {
  const TempDir dir;
  const auto path = dir.path() / "file";
  const auto action = [&](const Request&) {
    open_file(path, O_WRONLY | O_CREAT).release();
    return "reply";
  };
  const pid_t pid = fork();
  if (pid == 0) {
    close(STDOUT_FILENO);
    char name[] = "act", host[] = "h", vm[] = "1";
    char* argv[] = {name, host, vm};
    close(STDERR_FILENO);
    _exit(run_action(with(Input::none), 3, argv, action));
  }
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_EQ(read_file(path), "");
}

TEST(Action, IsCancelledByASignal) {
  const auto done = run(contract, words, "<VM/>", [](const Request&) {
    kill(getpid(), SIGTERM);
    cancel::check();
    return "not reached";
  });
  EXPECT_EQ(done.status, 143);
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(done.err, "cancelled\n");
}

TEST(Action, IsCancelledWhileItWaitsForTheRequest) {
  const Pipe never_closed;
  Process process{contract, words, never_closed.read.get(), reply_id};
  kill(process.pid(), SIGTERM);
  EXPECT_EQ(process.wait().status, 143);
}

TEST(Action, BoundsTheRequest) {
  const auto done = run(contract, words, std::string(90 << 20, 'x'), reply_id);
  EXPECT_EQ(done.status, 2);
  EXPECT_EQ(done.err, "the request is larger than 64 MiB\n");
}

TEST(Action, LogsInLinesThatTheCoreTakesForItsLog) {
  const auto done = run(contract, words, "<VM/>", [](const Request&) {
    log(Level::warn, "two\nlines");
    log(Level::debug, "-x");
    return "";
  });
  EXPECT_EQ(done.status, 0);
  EXPECT_TRUE(done.err.starts_with("WARN: ")) << done.err;
  EXPECT_NE(done.err.find(": two lines\nDEBUG: "), std::string::npos) << done.err;
}

TEST(Unsupported, SaysSoUnderTheNameItWasCalledBy) {
  Pipe in, err;
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(in.read.get(), STDIN_FILENO);
    dup2(err.write.get(), STDERR_FILENO);
    in.write.reset();
    char name[] = "/r/datastore/restic/snap_delete";
    char* argv[] = {name};
    _exit(unsupported(1, argv));
  }
  err.write.reset();
  in.read.reset();
  write_all(in.write.get(), std::string(200'000, 'x'), "send the request");  // all is read
  in.write.reset();
  char buffer[200] = {};
  EXPECT_GT(read(err.read.get(), buffer, sizeof buffer - 1), 0);
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_STREQ(buffer, "snap_delete: Operation not supported\n");
}

TEST(Manual, IsPrintedOnRequest) {
  const auto done = run(contract, {"--pod"}, "", reply_id);
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.out, manual(contract));
  EXPECT_NE(done.out.find("\n tm/test/act HOST:DIR VM_ID [JOB] < REQUEST\n"), std::string::npos);
  EXPECT_EQ(run(contract, {"--help"}, "", reply_id).out, short_help(contract));
}

TEST(Manual, IsCleanPod) {
  if (!Command{"sh", "-c", "command -v podchecker"}.run().ok())
    GTEST_SKIP() << "there is no podchecker";
  constexpr auto prose = "Of more than one B<paragraph>.\n\n  and some code\n";
  Contract bare = with(Input::none), long_one = with(Input::base64_xml);
  bare.failure = Failure::reported;
  bare.reply = "";
  long_one.summary = "turn C<this> into that";
  long_one.description = long_one.reply = prose;
  for (const auto& c : {contract, bare, long_one}) {
    const auto checked = Command{"podchecker", "-warnings", "-warnings"}.input(manual(c)).run();
    EXPECT_TRUE(checked.ok()) << checked.err << manual(c);
    EXPECT_EQ(checked.err.find("WARNING"), std::string::npos) << checked.err << manual(c);
  }
}
