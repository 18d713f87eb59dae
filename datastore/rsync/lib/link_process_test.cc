// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/link_process.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "common/error.h"
#include "datastore/rsync/lib/link_target.h"

using rsync::ProcessLink;
using rsync::Target;

namespace {

using By = ProcessLink::By;
using std::chrono::milliseconds;

std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string all_of(rsync::Link& link) {
  std::string text;
  std::byte buffer[1000];
  while (const auto n = link.read(buffer)) text.append(reinterpret_cast<const char*>(buffer), n);
  return text;
}

std::vector<std::string> shell(std::string_view script) {
  return {"sh", "-c", std::string{script}};
}

template <class Act>
std::string failure(Act act) {
  try {
    act();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(ProcessLink, CarriesBytesBothWays) {
  ProcessLink link{{"cat"}, By::itself, "'here'"};
  const std::string text(300'000, 'x');  // more than the pipes hold would stop both
  std::string back;
  std::byte buffer[100'000];
  while (back.size() < text.size()) {
    link.write(bytes_of(text).subspan(back.size(),
                                      std::min<std::size_t>(30'000, text.size() - back.size())));
    const auto n = link.read(buffer);
    back.append(reinterpret_cast<const char*>(buffer), n);
    while (back.size() % 30'000 != 0 && back.size() < text.size())
      back.append(reinterpret_cast<const char*>(buffer), link.read(buffer));
  }
  link.close_input();
  EXPECT_EQ(all_of(link), "");
  EXPECT_EQ(back, text);
  EXPECT_EQ(link.sent(), text.size());
  EXPECT_EQ(link.received(), text.size());
  EXPECT_EQ(link.wait().status, 0);
}

TEST(ProcessLink, KeepsTheStatusAndTheLastWords) {
  ProcessLink link{shell("echo out; echo first >&2; echo last >&2; exit 3"), By::itself, "'here'"};
  EXPECT_EQ(all_of(link), "out\n");
  const auto end = link.wait();
  EXPECT_EQ(end.status, 3);
  EXPECT_EQ(end.said, "first\nlast\n");
}

TEST(ProcessLink, AProgramThatTakesNoMoreAndStaysIsNotWaitedFor) {
  std::signal(SIGPIPE, SIG_IGN);
  ProcessLink link{shell("exec <&-; echo closed; exec sleep 1000"),
                   By::ssh,
                   "'there'",
                   {.silence = milliseconds{0}}};
  std::byte buffer[100];
  ASSERT_EQ(link.read(buffer), 7u);
  EXPECT_EQ(failure([&] { link.write(bytes_of("more")); }),
            "the program on 'there' takes no more, and does not end");
}

TEST(ProcessLink, EndlessComplaintsNeitherBlockNorFillTheMemory) {
  ProcessLink link{shell("yes complaint | head -c 1000000 >&2; echo done"), By::itself, "'here'"};
  EXPECT_EQ(all_of(link), "done\n");
  const auto said = link.wait().said;
  EXPECT_LE(said.size(), 200'000u);
  EXPECT_TRUE(said.find("complaint") != said.npos);
}

TEST(ProcessLink, ALostConnectionIsNotTheEndOfTheOutput) {
  ProcessLink link{shell("echo part; echo 'Connection closed' >&2; exit 255"), By::ssh, "'b1'"};
  EXPECT_EQ(failure([&] { all_of(link); }), "the connection to 'b1' failed: Connection closed");
}

TEST(ProcessLink, WhoHasEndedTakesNothingMore) {
  std::signal(SIGPIPE, SIG_IGN);  // as cancel::install() does
  ProcessLink link{shell("echo 'no space left' >&2; exit 1"), By::ssh, "'b1'"};
  const std::string text(4 << 20, 'x');
  EXPECT_EQ(failure([&] { link.write(bytes_of(text)); }),
            "the program on 'b1' has ended: no space left");
}

TEST(ProcessLink, SilenceHasAnEnd) {
  const rsync::Terms terms{.silence = milliseconds{50}};
  ProcessLink reading{shell("read line"), By::itself, "'b1'", terms};
  std::byte one[1];
  EXPECT_EQ(failure([&] { reading.read(one); }),
            "nothing has come from 'b1' and it has taken nothing for 1 s");
  ProcessLink writing{{"yes"}, By::itself, "'b1'", terms};
  const std::string text(4 << 20, 'x');
  EXPECT_EQ(failure([&] { writing.write(bytes_of(text)); }),
            "nothing has come from 'b1' and it has taken nothing for 1 s");
}

TEST(ProcessLink, TheProgramSeesTheEndOfItsInputWhenWeLeave) {
  char path[] = "/tmp/link_process_testXXXXXX";
  const Fd file{mkstemp(path)};
  { ProcessLink link{shell("cat; echo undone >" + std::string{path}), By::itself, "'here'"}; }
  char text[16] = {};
  EXPECT_EQ(pread(file.get(), text, sizeof text, 0), 7);
  EXPECT_STREQ(text, "undone\n");
  unlink(path);
}

TEST(Target, ThisMachineNeedsNoSsh) {
  EXPECT_TRUE((Target{.host = "localhost"}).here());
  EXPECT_FALSE((Target{.host = "localhost", .user = "somebody-else"}).here());
  EXPECT_EQ((Target{.host = "127.0.0.1"}).on({"a", "b c"}), (std::vector<std::string>{"a", "b c"}));
}

TEST(Target, AnotherMachineIsReachedBySsh) {
  const auto line =
      Target{.host = "b1", .user = "one", .ssh = {"ssh", "-p", "22"}}.on({"a", "b c"});
  EXPECT_EQ(line.front(), "ssh");
  EXPECT_EQ(line[2], "22");
  EXPECT_EQ(line[line.size() - 3], "--");
  EXPECT_EQ(line[line.size() - 2], "one@b1");
  EXPECT_EQ(line.back(), "a 'b c'");
}

TEST(Target, NamesAreCheckedAtTheDoor) {
  for (const char* bad : {"", "-oProxyCommand=x", "a b", "a;b", "a\nb", "$(x)"}) {
    EXPECT_THROW((Target{.host = bad}).login(), BadRequest) << bad;
    if (*bad == '\0') continue;
    EXPECT_THROW((Target{.host = "b1", .user = bad}).login(), BadRequest) << bad;
  }
}

}  // namespace
