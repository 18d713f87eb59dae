// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/api_call.h"

#include <gtest/gtest.h>

#include "common/one/xml.h"

namespace api {
namespace {

std::string call_of(const std::string& values) {
  return "<?xml version=\"1.0\" ?><methodCall><methodName>one.image.info</methodName><params>" +
         values + "</params></methodCall>";
}
std::string parameter(const std::string& value) {
  return "<param><value>" + value + "</value></param>";
}

TEST(Call, IsReadAsClientsWriteIt) {
  const auto call = parse_call(
      call_of(parameter("<string>alice:a &amp; b</string>") + parameter("<i4>7</i4>") +
              parameter("<int>-1</int>") + parameter("<boolean>1</boolean>") + parameter("plain") +
              parameter("<array><data><value><i4>0</i4></value></data></array>")));
  EXPECT_EQ(call.method, "one.image.info");
  EXPECT_EQ(call.text(0), "alice:a & b");
  EXPECT_EQ(call.number(1), 7);
  EXPECT_EQ(call.number(2), -1);
  EXPECT_TRUE(call.flag(3));
  EXPECT_EQ(call.text(4), "plain");
  EXPECT_EQ(call.numbers(5, {}), Numbers{0});
  EXPECT_EQ(call.number(6, 5), 5);
  EXPECT_TRUE(parse_call(call_of("")).arguments.empty());
}

TEST(Call, SaysWhichArgumentIsWrong) {
  const auto call = parse_call(call_of(parameter("<string>x</string>") + parameter("<i4>7</i4>")));
  EXPECT_THROW(call.number(0), WrongArguments);
  EXPECT_THROW(call.number(0, 1), WrongArguments) << "there, but another";
  EXPECT_THROW(call.text(1), WrongArguments);
  EXPECT_THROW(call.flag(1), WrongArguments);
  EXPECT_THROW(call.text(2), WrongArguments);
  for (const char* odd : {"<double>1</double>", "<base64>YQ==</base64>", "<struct></struct>",
                          "<array><data><value>a</value></data></array>",
                          "<dateTime.iso8601>19980717T14:08:55</dateTime.iso8601>"})
    EXPECT_THROW(parse_call(call_of(parameter(odd))), WrongArguments) << odd;
}

std::string nested(int depth) {
  std::string open, close;
  for (int n = 0; n < depth; ++n) {
    open += "<array><data><value>";
    close += "</value></data></array>";
  }
  return call_of(parameter(open + "<i4>1</i4>" + close));
}

TEST(Call, IsRefusedWhenItIsHostile) {
  const std::string bomb =
      "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"bbbbbbbb\"><!ENTITY c \"&b;&b;&b;\">]>"
      "<methodCall><methodName>&c;</methodName><params></params></methodCall>";
  for (const auto& body :
       {std::string{}, std::string{"x"}, std::string(100, '\0'), bomb, nested(20), nested(5000),
        call_of(parameter("<i4>99999999999999999999</i4>")), call_of(parameter("<i4>x</i4>")),
        call_of(parameter("<boolean>7</boolean>")), call_of("<param/>"),
        std::string{"<methodCall><methodName>a</methodName><params>"},
        std::string{"<methodResponse></methodResponse>"}, std::string{"<methodCall/>"},
        call_of(std::string(2 << 20, ' '))})
    EXPECT_THROW(parse_call(body), BadRequest) << body.substr(0, 100);
  for (const char* number : {"", "x", "1x", "1 ", " 1", "+", "99999999999999999999",
                             "1\x7f"
                             "0",
                             "<b/>"})
    for (const char* name : {"i8", "ex:i8"}) {
      const auto value = "<" + std::string{name} + ">" + number + "</" + name + ">";
      EXPECT_THROW(parse_call(call_of(parameter(value))), BadRequest) << value;
      const auto inside = "<array><data><value>" + value + "</value></data></array>";
      EXPECT_THROW(parse_call(call_of(parameter(inside))), BadRequest) << inside;
    }
  std::string many;
  for (int n = 0; n < 33; ++n) many += parameter("<i4>1</i4>");
  EXPECT_THROW(parse_call(call_of(many)), BadRequest);
}

TEST(Call, AnExternalEntityIsNotRead) {
  const std::string body =
      "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><methodCall><methodName>one.x"
      "</methodName><params><param><value><string>&x;</string></value></param></params>"
      "</methodCall>";
  EXPECT_THROW(parse_call(body), BadRequest);
}

TEST(Answer, IsWhatClientsRead) {
  const Xml good{success(std::string{"<A>&amp;</A>"})};
  EXPECT_EQ(good.at("//data/value[1]/boolean"), "1");
  EXPECT_EQ(good.at("//data/value[2]/string"), "<A>&amp;</A>");
  EXPECT_EQ(good.at("//data/value[3]/i4"), "0");
  EXPECT_EQ(Xml{success(std::int64_t{-3})}.at("//data/value[2]/i4"), "-3");
  const Xml bad{failure({Code::no_exists, "no\nsuch", 7})};
  EXPECT_EQ(bad.at("//data/value[1]/boolean"), "0");
  EXPECT_EQ(bad.at("//data/value[2]/string"), "no such");
  EXPECT_EQ(bad.at("//data/value[3]/i4"), "1024");
  EXPECT_EQ(bad.at("//data/value[4]/i4"), "7");
  EXPECT_EQ(Xml{fault(-506, "no method")}.at("//member[1]/value"), "-506");
}

}  // namespace
}  // namespace api
