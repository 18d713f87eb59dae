// SPDX-License-Identifier: Apache-2.0
#include "common/base64.h"

#include <gtest/gtest.h>

#include "common/error.h"

TEST(Base64, EncodesTheExamplesOfTheStandard) {
  const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : examples) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
}

TEST(Base64, KeepsEveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  for (std::size_t size = 0; size <= bytes.size(); ++size)
    ASSERT_EQ(base64_decode(base64_encode(bytes.substr(0, size))), bytes.substr(0, size));
  EXPECT_EQ(base64_encode(std::string(3000, 'x')).find('\n'), std::string::npos);
}

TEST(Base64, DecodesLeniently) {
  EXPECT_EQ(base64_decode("Zm9v\nYmFy\r\n"), "foobar");
  EXPECT_EQ(base64_decode("Zg"), "f");
  EXPECT_EQ(base64_decode("Zg==trailing <text>"), "f");
}

TEST(Base64, RefusesAnythingElse) {
  for (const auto* text : {"<VM/>", "Zm 9v", "Zm9v-_", "Zm9v\tYmFy", "Z", "Zm9vY", "\xff"})
    EXPECT_THROW(base64_decode(text), BadRequest) << text;
}
