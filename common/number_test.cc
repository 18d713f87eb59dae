// SPDX-License-Identifier: Apache-2.0
#include "common/number.h"

#include <gtest/gtest.h>

TEST(ParseNumber, TakesASign) {
  EXPECT_EQ(parse_number("12"), 12);
  EXPECT_EQ(parse_number("-1"), -1);
  EXPECT_EQ(parse_number("+7"), 7);
  EXPECT_EQ(parse_number("9223372036854775807"), INT64_MAX);
}

TEST(ParseNumber, TakesNothingElse) {
  for (const auto* text :
       {"", " 1", "1 ", "1.0", "0x10", "+-1", "+", "-", "1,000", "one", "9223372036854775808"})
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
}

TEST(ParseInt, KeepsToItsRange) {
  EXPECT_EQ(parse_int("0"), 0);
  EXPECT_EQ(parse_int("-1"), std::nullopt);
  EXPECT_EQ(parse_int("-1", -1), -1);
  EXPECT_EQ(parse_int("2147483648"), std::nullopt);
  EXPECT_EQ(parse_int("11", 0, 10), std::nullopt);
}
