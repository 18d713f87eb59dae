// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmm/lib/outbound.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "common/child.h"

namespace {

using front::Outbound;

std::string all(Outbound& out) {
  Pipe pipe;
  std::string text;
  while (!out.empty() && out.write_some(pipe.write.get())) {
    char buffer[65536];
    text.append(buffer, static_cast<std::size_t>(read(pipe.read.get(), buffer, sizeof buffer)));
  }
  return text;
}

TEST(Outbound, OurLinesWaitForTheAnswerToInit) {
  Outbound out;
  out.line("LOG I 12 x\n");
  EXPECT_TRUE(out.empty());
  out.stock("INIT SUCC");
  EXPECT_EQ(all(out), "INIT SUCC");
  out.stock("ESS - -\n");
  EXPECT_EQ(all(out), "ESS - -\nLOG I 12 x\n");
}

TEST(Outbound, OurLinesStandBetweenTheOthers) {
  Outbound out;
  out.stock("INIT SUCCESS - -\nLOG I 1 a");
  out.line("BACKUP SUCCESS 12 x\n");
  out.stock("b\nLOG I 1 c\nLOG");
  out.line("BACKUP SUCCESS 13 x\n");
  EXPECT_EQ(all(out), "INIT SUCCESS - -\nLOG I 1 ab\nLOG I 1 c\nBACKUP SUCCESS 12 x\nLOG");
  out.stock(" I 1 d\n");
  EXPECT_EQ(all(out), " I 1 d\nBACKUP SUCCESS 13 x\n");
}

TEST(Outbound, SaysWhenALineIsWritten) {
  Outbound out;
  int written = 0;
  out.stock(std::string(10'000, 'x') + "\n");
  out.line("LINE\n", [&] { ++written; });
  Pipe pipe;
  EXPECT_TRUE(out.write_some(pipe.write.get()));
  EXPECT_TRUE(out.write_some(pipe.write.get()));
  EXPECT_EQ(written, 0);
  EXPECT_TRUE(out.write_some(pipe.write.get()));
  EXPECT_EQ(written, 1);
  EXPECT_TRUE(out.empty());
}

TEST(Outbound, NoticesThatNobodyReads) {
  signal(SIGPIPE, SIG_IGN);
  Outbound out;
  out.stock("x\n");
  Pipe pipe;
  pipe.read.reset();
  EXPECT_FALSE(out.write_some(pipe.write.get()));
}

}  // namespace
