// SPDX-License-Identifier: Apache-2.0
#include "common/json.h"

#include <gtest/gtest.h>

#include <string>

using nlohmann::json;

TEST(ParseJson, ReadsWhatOurDocumentsHold) {
  const auto read = parse_json(R"({"n": -1, "seconds": 0.5, "list": [1, 18446744073709551615]})");
  EXPECT_EQ(read.at("n"), -1);
  EXPECT_EQ(read.at("seconds"), 0.5);
  EXPECT_EQ(read.at("list").at(1).get<std::uint64_t>(), 18446744073709551615U);
}

TEST(ParseJson, RefusesNumbersThatNoIntegerCanHold) {
  for (const char* text :
       {R"({"vm": 4444444444444444444444444444})", "[[-0.5]]", "1e300", "2147483648.0"})
    EXPECT_THROW(parse_json(text), json::out_of_range) << text;
}

TEST(ParseJson, RefusesWhatIsNoJsonOrADeepHole) {
  EXPECT_THROW(parse_json("{"), json::parse_error);
  EXPECT_THROW(parse_json(std::string(100'000, '[')), json::exception);
}
