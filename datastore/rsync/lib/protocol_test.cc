// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/protocol.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/base64.h"
#include "common/error.h"

namespace rsync {
namespace {

using nlohmann::json;

const std::string sum(64, 'a'), token(32, 'b');

Request receive() {
  Request request{.doing = "receive", .base = "/b", .vm = 7};
  request.upload = {.name = "abc123",
                    .key = sum,
                    .files = {{"disk.0.3", std::uint64_t{5} << 30, -3, 0640}, {"vm.xml", 12, 4, 0}},
                    .archive = false,
                    .sparse = true};
  return request;
}

json document_of(const Request& request) { return json::parse(base64_decode(encode(request))); }

Request decoded(const json& document) { return decode_request(base64_encode(document.dump())); }

TEST(Request, ComesBackAsItWas) {
  const auto request = decode_request(encode(receive()));
  EXPECT_EQ(request.doing, "receive");
  EXPECT_EQ(request.base, "/b");
  EXPECT_EQ(request.vm, 7);
  EXPECT_EQ(request.upload.name, "abc123");
  EXPECT_EQ(request.upload.key, sum);
  ASSERT_EQ(request.upload.files.size(), 2U);
  EXPECT_EQ(request.upload.files[0].size, std::uint64_t{5} << 30);
  EXPECT_EQ(request.upload.files[0].mtime_ns, -3);
  EXPECT_EQ(request.upload.files[0].mode, 0640U);
  EXPECT_FALSE(request.upload.archive);
  EXPECT_TRUE(request.upload.sparse);

  auto join = receive();
  join.doing = "join";
  join.token = token;
  EXPECT_EQ(decode_request(encode(join)).token, token);
  EXPECT_EQ(decode_request(encode(join)).upload.key, sum);

  const Request verify{.doing = "verify",
                       .base = "/b",
                       .vm = 1,
                       .chain = Chain::parse("0:aaaaaa,2:bbbbbb"),
                       .depth = "data",
                       .known = {{"sums.0.0", std::string{"\0\xff", 2}}}};
  const auto back = decode_request(encode(verify));
  EXPECT_EQ(back.chain.text(), "0:aaaaaa,2:bbbbbb");
  EXPECT_EQ(back.known, verify.known);
  auto flatten = verify;
  flatten.doing = "flatten";
  flatten.keep = 2;
  EXPECT_EQ(decode_request(encode(flatten)).known, verify.known);
  EXPECT_EQ(decode_request(encode({.doing = "about"})).doing, "about");
  const auto read = decode_request(encode({.doing = "read",
                                           .base = "/b",
                                           .vm = 1,
                                           .name = "aaaaaa",
                                           .file = "vm.xml",
                                           .offset = 5,
                                           .length = 0}));
  EXPECT_EQ(read.offset, 5U);
  EXPECT_EQ(read.length, 0U);
}

TEST(Request, InsistsOnWhatBelongsToIt) {
  for (const char* name : {"protocol", "do", "base", "vm", "upload"}) {
    auto document = document_of(receive());
    document.erase(name);
    EXPECT_THROW(decoded(document), BadRequest) << name;
  }
  auto join = document_of(receive());
  join["do"] = "join";
  EXPECT_THROW(decoded(join), BadRequest);
  join["token"] = sum;
  EXPECT_THROW(decoded(join), BadRequest);
  EXPECT_THROW(decode_request("!"), BadRequest);
  EXPECT_THROW(decode_request(base64_encode("[]")), BadRequest);
  EXPECT_THROW(decode_request(base64_encode("{")), BadRequest);
}

TEST(Request, RefusesWhatLeadsElsewhere) {
  const auto refused = [](const char* pointer, const json& value) {
    auto document = document_of(receive());
    document[json::json_pointer{pointer}] = value;
    EXPECT_THROW(decoded(document), BadRequest) << pointer << " " << value;
  };
  for (const char* name : {"..", "../..", "", "ABC123", "abc12", "abc1234", "abc12/"})
    refused("/upload/name", name);
  for (const char* name : {"..", ".", "", "a/b", "/etc/passwd", ".hidden", "a\nb", "ä"})
    refused("/upload/files/0/name", name);
  refused("/upload/files/0/name", "vm.xml");  // twice
  refused("/upload/files/0/size", -1);
  refused("/upload/files/0/size", std::uint64_t{1} << 61);
  refused("/upload/files/0/size", 1.5);
  refused("/upload/files/0/mode", 010000);
  refused("/upload/key", "x");
  refused("/base", "relative");
  refused("/base", "/");
  refused("/base", std::string{"/a\0b", 4});
  refused("/vm", -1);
  refused("/vm", "7");
  refused("/vm", std::uint64_t{1} << 40);
  refused("/protocol", 0);
}

TEST(Request, RefusesChainsOfOtherNames) {
  auto document = document_of(
      {.doing = "merge", .base = "/b", .vm = 1, .chain = Chain::parse("0:aaaaaa"), .disk = 0});
  EXPECT_NO_THROW(decoded(document));
  document["chain"] = "0:aaaaaaaa";
  EXPECT_THROW(decoded(document), BadRequest);
  document["chain"] = "";
  EXPECT_THROW(decoded(document), BadRequest);
}

template <class T, class Variant>
T as(const Variant& message) {
  return std::get<T>(message);
}

TEST(Messages, OfTheClientComeBackAsTheyWere) {
  const auto back = [](const ClientMessage& message) { return decode_client(encode(message)); };
  const auto begin = as<FileBegin>(back(FileBegin{"disk.0.0", 77, "abcdef"}));
  EXPECT_EQ(begin.file, "disk.0.0");
  EXPECT_EQ(begin.from, 77U);
  EXPECT_EQ(begin.base, "abcdef");
  EXPECT_FALSE(as<FileBegin>(back(FileBegin{"vm.xml", 0, {}})).base);
  const auto end = as<FileEnd>(back(FileEnd{9, sum}));
  EXPECT_EQ(end.size, 9U);
  EXPECT_EQ(end.sha256, sum);
  EXPECT_EQ(as<AskHad>(back(AskHad{"disk.0.0"})).file, "disk.0.0");
  EXPECT_EQ(as<AskBase>(back(AskBase{"disk.0.0"})).file, "disk.0.0");
  EXPECT_EQ(as<Fetch>(back(Fetch{"rsig.0.0", "abcdef"})).side, "rsig.0.0");
  as<Commit>(back(Commit{}));
  as<Discard>(back(Discard{}));
  as<Leave>(back(Leave{}));
}

TEST(Messages, OfTheServerComeBackAsTheyWere) {
  const auto back = [](const ServerMessage& message) { return decode_server(encode(message)); };
  const auto greeting = as<Greeting>(back(Greeting{
      .name = "abcdef", .token = token, .files = {{"vm.xml", {3, true, sum}}, {"disk.0.0", {7}}}}));
  EXPECT_EQ(greeting.name, "abcdef");
  EXPECT_EQ(greeting.token, token);
  EXPECT_TRUE(greeting.files.at("vm.xml").done);
  EXPECT_EQ(greeting.files.at("vm.xml").sha256, sum);
  EXPECT_EQ(greeting.files.at("disk.0.0").size, 7U);
  EXPECT_FALSE(greeting.files.at("disk.0.0").done);
  EXPECT_EQ(as<FileHad>(back(FileHad{{.size = 5, .sha256 = sum}})).had.sha256, sum);
  EXPECT_FALSE(as<FileBase>(back(FileBase{})).base);
  const auto base =
      as<FileBase>(back(FileBase{Base{"123456", "disk.0.0", 9, {{"rsig.0.0", sum}}}}));
  EXPECT_EQ(base.base.value().file, "disk.0.0");
  EXPECT_EQ(base.base.value().side.at("rsig.0.0"), sum);
  const auto result = as<FileResult>(back(FileResult{"vm.xml", false, "bad\nluck \xff"}));
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.why.substr(0, 9), "bad luck ");
  EXPECT_EQ(as<SideSize>(back(SideSize{4})).size, 4U);
  EXPECT_EQ(as<Committed>(back(Committed{"abcdef"})).name, "abcdef");
  as<Discarded>(back(Discarded{}));
  as<Left>(back(Left{}));
  EXPECT_EQ(as<Failure>(back(Failure{"no"})).why, "no");
}

TEST(Messages, OfAnotherShapeAreRefused) {
  for (const char* text :
       {"", "[]", "{}", "3", "{\"file\":", R"({"file":"../x","from":0,"base":null})",
        R"({"file":"x","from":-1,"base":null})", R"({"file":"x","from":0})",
        R"({"file":"x","from":0,"base":"../../"})", R"({"end":1,"sha256":"x"})",
        R"({"fetch":"/etc/passwd","of":"abcdef"})", R"({"had":"../x"})", R"({"base_for":""})"}) {
    EXPECT_THROW(decode_client(text), Error) << text;
    EXPECT_THROW(decode_server(text), Error) << text;
  }
  for (const char* text :
       {R"({"name":"x","token":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","files":{}})",
        R"({"name":"abcdef","token":"b","files":{}})",
        R"({"name":"abcdef","token":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","files":[]})",
        R"({"name":"abcdef","token":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","files":{"x":{}}})",
        R"({"had":{"size":3,"done":false}})", R"({"had":3})",
        R"({"base":{"name":"..","file":"x","size":0,"side":{}}})", R"({"committed":"../../x"})",
        R"({"size":"1"})", R"({"file":"x","ok":false})"})
    EXPECT_THROW(decode_server(text), Error) << text;
}

TEST(Messages, AreInsistedOn) {
  EXPECT_EQ(expect<SideSize>(encode(ServerMessage{SideSize{4}})).size, 4U);
  EXPECT_THROW(expect<SideSize>(encode(ServerMessage{Discarded{}})), Error);
  try {
    expect<Greeting>(encode(ServerMessage{Failure{"the disk is full"}}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string{error.what()}.find("the disk is full"), std::string::npos);
  }
}

TEST(Names, OfSideFilesFollowTheDisks) {
  EXPECT_EQ(signature_name("disk.0.3"), "rsig.0.3");
  EXPECT_EQ(blocks_name("disk.12.0"), "blocks.12.0");
  for (const char* name : {"disk.tpm.0", "vm.xml", "disk.0", "disk.0.", "disk..0", "disk.0.0.x"})
    EXPECT_FALSE(signature_name(name)) << name;
}

}  // namespace
}  // namespace rsync
