// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmm/lib/sieve.h"

#include <gtest/gtest.h>

#include <vector>

namespace {

using front::Sieve;
using Lines = std::vector<std::string>;

// Takes lines that end in "mine".
struct Fixture {
  Lines seen{};
  Sieve sieve{[this](const std::string& line) {
    seen.push_back(line);
    return line.ends_with("mine");
  }};
};

TEST(Sieve, PassesOtherLinesUntouched) {
  Fixture f;
  const std::string bytes{"INIT\n\n  BACKUP  1 x\nBACKUPS 2\n\0\xff\r\nDEPLOY  3 ", 42};
  EXPECT_EQ(f.sieve.pass(bytes), bytes);
  EXPECT_TRUE(f.seen.empty());
}

TEST(Sieve, TakesItsLines) {
  Fixture f;
  EXPECT_EQ(f.sieve.pass("BACKUP  12 mine\nPOLL  1 x\nbackupcancel  12 mine\nBACKUP  13 other\n"),
            "POLL  1 x\nBACKUP  13 other\n");
  EXPECT_EQ(f.seen, (Lines{"BACKUP  12 mine", "backupcancel  12 mine", "BACKUP  13 other"}));
}

TEST(Sieve, TakesThemInPieces) {
  Fixture f;
  std::string out;
  for (const char c : std::string{"POLL  1 x\nBACKUP  12 mine\nDRIVER_CANCEL  12 \nX"})
    out += f.sieve.pass({&c, 1});
  EXPECT_EQ(f.seen, (Lines{"BACKUP  12 mine", "DRIVER_CANCEL  12 "}));
  EXPECT_EQ(out, "POLL  1 x\nDRIVER_CANCEL  12 \n");
  EXPECT_EQ(f.sieve.rest(), "X");
}

TEST(Sieve, DoesNotHoldBackALineThatNobodyTakes) {
  Fixture f;
  EXPECT_EQ(f.sieve.pass("DEPLOY  1 PFZN"), "DEPLOY  1 PFZN");
  EXPECT_EQ(f.sieve.pass("BACKUP  12 mine"), "BACKUP  12 mine");
  EXPECT_EQ(f.sieve.pass("\nBACKUP  12 mi"), "\n");
  EXPECT_EQ(f.sieve.rest(), "BACKUP  12 mi");
}

TEST(Sieve, TakesALongLine) {
  Fixture f;
  const std::string line = "BACKUP  12 " + std::string(10 << 20, 'x') + "mine";
  std::string out;
  for (std::size_t at = 0; at < line.size(); at += 65536)
    out += f.sieve.pass(std::string_view{line}.substr(at, 65536));
  out += f.sieve.pass("\n");
  EXPECT_EQ(f.seen, Lines{line});
  EXPECT_EQ(out, "");
}

}  // namespace
