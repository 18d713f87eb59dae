// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/driver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "common/file.h"

namespace vmvaultd {
namespace {

using namespace std::chrono_literals;

class DriverTest : public testing::Test {
 protected:
  DriverTest() { std::signal(SIGPIPE, SIG_IGN); }

  // A driver that is this text, in bash; it has the directory as $1.
  void make(const std::string& text, Driver::Duration patience = 60s) {
    driver = std::make_unique<Driver>(
        Driver::Settings{.name = "toy",
                         .argv = {"bash", "-c", text, "toy", dir.path()},
                         .patience = patience,
                         .first_pause = 1ms,
                         .longest_pause = 10ms},
        Driver::Events{.ready = [this] { ++readies; },
                       .answer = [this](const Answer& answer) { answers.push_back(answer); },
                       .log = [this](const LogLine& line) { log.push_back(line); },
                       .lost = [this](const std::string& why) { losses.push_back(why); }});
    driver->start();
  }

  template <class Condition>
  void run_until(Condition condition) {
    const auto end = Driver::Clock::now() + 60s;
    while (!condition()) {
      ASSERT_LT(Driver::Clock::now(), end) << "it never came";
      driver->advance();
      std::vector<pollfd> fds;
      driver->watch(fds);
      poll(fds.data(), fds.size(), 20);
    }
  }

  TempDir dir;
  int readies = 0;
  std::vector<Answer> answers;
  std::vector<LogLine> log;
  std::vector<std::string> losses;
  std::unique_ptr<Driver> driver;
};

constexpr const char* init = "read -r line; [ \"$line\" = INIT ] && echo 'INIT SUCCESS - -'\n";

TEST_F(DriverTest, AsksAndHears) {
  make(std::string{init} +
       "read -r line; printf '%s' \"$line\" >\"$1/line\"\n"
       "echo 'LOG W 57 it is slow'; echo nonsense; echo; printf 'RM SUC'; sleep 0.05\n"
       "printf 'CESS 57   -\\nRM FAILURE 58 no  luck\\n'; read -r line");
  EXPECT_FALSE(driver->send("RM", 57, "x")) << "it is not ready";
  run_until([&] { return readies == 1; });
  EXPECT_TRUE(driver->send("RM", 57, "QUJD"));
  run_until([&] { return answers.size() == 2; });
  EXPECT_EQ(read_file(dir.path() / "line"), "RM  57 QUJD");
  EXPECT_EQ(answers[0].verb, "RM");
  EXPECT_TRUE(answers[0].good);
  EXPECT_EQ(answers[0].id, 57);
  EXPECT_EQ(answers[0].info, "-");
  EXPECT_FALSE(answers[1].good);
  EXPECT_EQ(answers[1].info, "no  luck");
  ASSERT_EQ(log.size(), 1U);
  EXPECT_EQ(log[0].severity, 'W');
  EXPECT_EQ(log[0].id, 57);
  EXPECT_EQ(log[0].text, "it is slow");
  EXPECT_TRUE(losses.empty());
}

TEST_F(DriverTest, SendsWhatIsLongerThanAPipeHolds) {
  make(std::string{init} + "read -r line; echo \"CP SUCCESS 1 ${#line}\"; read -r line");
  run_until([&] { return readies == 1; });
  EXPECT_TRUE(driver->send("CP", 1, std::string(200'000, 'a')));
  run_until([&] { return !answers.empty(); });
  EXPECT_EQ(answers[0].info, "200006");
}

TEST_F(DriverTest, IsStartedAgainWhenItIsKilled) {
  make(std::string{init} + "echo 'RM SUCCESS 1 -'; kill -KILL $$");
  run_until([&] { return readies >= 3; });
  ASSERT_GE(losses.size(), 2U);
  EXPECT_EQ(
      losses[0],
      "the driver toy is gone: it was killed by SIGKILL, as the kernel does where memory is short");
  EXPECT_GE(answers.size(), 2U) << "what it said last is heard";
}

TEST_F(DriverTest, HearsAllThatItSaidBeforeItsEnd) {
  make(std::string{init} +
       "for i in {1..2000}; do echo \"RM SUCCESS $i -\"; done\n"
       "[ ! -e \"$1/once\" ] || read -r line; touch \"$1/once\"");
  run_until([&] { return readies == 2; });
  ASSERT_GE(answers.size(), 2000U);
  EXPECT_EQ(answers[1999].id, 2000);
}

TEST_F(DriverTest, DoesNotWaitForEverForAnAnswerToInit) {
  make("[ -e \"$1/once\" ] || { touch \"$1/once\"; read -r line; read -r line; }\n" +
           std::string{init} + "read -r line",
       300ms);
  run_until([&] { return !losses.empty(); });
  EXPECT_EQ(losses[0], "the driver toy is gone: it does not answer");
}

TEST_F(DriverTest, OneThatRefusesOrClosesItsOutputIsOfNoUse) {
  make("read -r line; echo 'INIT FAILURE - no license'; read -r line");
  run_until([&] { return !losses.empty(); });
  EXPECT_EQ(losses[0], "the driver toy is gone: it cannot work: - no license");
  losses.clear();
  make(std::string{init} + "exec >&-; trap '' TERM; sleep 600", 500ms);
  const std::string silent = "the driver toy is gone: it says nothing any more";
  run_until([&] { return std::find(losses.begin(), losses.end(), silent) != losses.end(); });
}

TEST_F(DriverTest, SaysWhyItCannotBeStarted) {
  driver = std::make_unique<Driver>(
      Driver::Settings{.name = "toy", .argv = {"/nonexistent/one_toy"}, .first_pause = 1ms},
      Driver::Events{.ready = {}, .answer = {}, .log = {}, .lost = [this](const std::string& why) {
                       losses.push_back(why);
                     }});
  driver->start();
  run_until([&] { return losses.size() >= 2; });
  EXPECT_NE(losses[0].find("'/nonexistent/one_toy'"), std::string::npos) << losses[0];
}

TEST_F(DriverTest, EndsWithItsCoreAndNotItsWork) {
  make(std::string{init} + "while read -r line; do :; done; echo end >\"$1/end\"");
  run_until([&] { return readies == 1; });
  driver->stop(60s);
  EXPECT_EQ(read_file_if_any(dir.path() / "end"), "end\n");
  EXPECT_FALSE(driver->send("RM", 1, "x"));
  EXPECT_TRUE(losses.empty());
}

TEST(DriverLine, RefusesWhatIsNone) {
  for (const char* line : {"", " ", "RM", "RM SUCCESS", "RM SUCCESS x -", "RM MAYBE 1 -",
                           "LOG X 1 text", "LOG I x text", "LOG", "SUCCESS 1"})
    EXPECT_FALSE(mad::parse_driver_line(line)) << line;
  EXPECT_EQ(std::get<Answer>(*mad::parse_driver_line("RM SUCCESS 1")).info, "");
  EXPECT_EQ(std::get<LogLine>(*mad::parse_driver_line("LOG E -1  a b \r")).text, "a b");
}

}  // namespace
}  // namespace vmvaultd
