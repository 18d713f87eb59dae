// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/mad_message.h"

#include <gtest/gtest.h>

namespace {

using mad::answer;
using mad::LineReader;
using mad::log_line;
using mad::parse_message;
using mad::parse_said;

TEST(MadLines, ComeInPieces) {
  LineReader reader;
  EXPECT_FALSE(reader.next());
  reader.add("INI");
  EXPECT_FALSE(reader.next());
  reader.add("T\n\nRM  5");
  EXPECT_EQ(reader.next(), "INIT");
  EXPECT_EQ(reader.next(), "");
  EXPECT_FALSE(reader.next());
  reader.add("7 x\nMORE");
  EXPECT_EQ(reader.next(), "RM  57 x");
  EXPECT_FALSE(reader.next());
}

TEST(MadLines, OfAnyLength) {
  LineReader reader;
  const std::string piece(1 << 16, 'x');
  for (int i = 0; i < 256; ++i) {
    reader.add(piece);
    EXPECT_FALSE(reader.next());
  }
  reader.add("\n");
  EXPECT_EQ(reader.next()->size(), piece.size() * 256);
}

TEST(MadMessage, HasAnIdAndAPayload) {
  const auto message = parse_message("rm  57 PERT");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->verb, "RM");
  EXPECT_EQ(message->id, 57);
  EXPECT_EQ(message->payload, "PERT");
}

TEST(MadMessage, MayHaveLess) {
  EXPECT_EQ(parse_message("INIT")->verb, "INIT");
  EXPECT_FALSE(parse_message("INIT")->id);
  EXPECT_EQ(parse_message("DRIVER_CANCEL  7 ")->id, 7);
  EXPECT_EQ(parse_message("DRIVER_CANCEL  7 ")->payload, "");
}

TEST(MadMessage, IsNotAnyLine) {
  for (const auto* line : {"", " INIT", "RM  57 x y", "RM  x y", "RM - 5 x", "\xff\xfe 1 2 3"})
    EXPECT_FALSE(parse_message(line)) << line;
}

TEST(MadAnswer, IsOneLine) {
  EXPECT_EQ(answer("RM", true, 57, ""), "RM SUCCESS 57 -\n");
  EXPECT_EQ(answer("RM", true, 57, " \n"), "RM SUCCESS 57 -\n");
  EXPECT_EQ(answer("STAT", true, 3, "4096\n"), "STAT SUCCESS 3 4096\n");
  EXPECT_EQ(answer("CP", false, 3, "a\nb\r\nc"), "CP FAILURE 3 a b  c\n");
  EXPECT_EQ(answer("CP", true, 3, std::string_view{"a\0b", 3}), "CP SUCCESS 3 a b\n");
  EXPECT_EQ(log_line('E', -1, " no\nroom "), "LOG E -1 no room\n");
}

TEST(MadSaid, IsForTheLogOrPartOfTheError) {
  EXPECT_FALSE(parse_said(" plain ").severity);
  EXPECT_EQ(parse_said(" plain ").text, "plain");
  EXPECT_EQ(parse_said("ERROR: rm: no").severity, 'E');
  EXPECT_EQ(parse_said("ERROR: rm: no").id, -1);
  EXPECT_EQ(parse_said("ERROR: rm: no").text, "rm: no");
  EXPECT_EQ(parse_said("WARN:\t12  odd").id, 12);
  EXPECT_EQ(parse_said("WARN:\t12  odd").text, "odd");
  EXPECT_EQ(parse_said("INFO: 12").text, "");
  for (const auto* line : {"ERROR:no blank", "WARNING: x", "ERROR:", "error: x"})
    EXPECT_FALSE(parse_said(line).severity) << line;
}

}  // namespace
