// SPDX-License-Identifier: Apache-2.0
#include "common/one/rpc_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <thread>

#include "common/file.h"
#include "common/handle.h"
#include "common/one/rpc.h"

namespace {

using namespace std::chrono_literals;

// Answers one request with these bytes, whatever it was, and keeps the request.
class OneAnswer {
 public:
  explicit OneAnswer(const std::string& answer) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path().c_str());
    if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_.get(), 1) != 0)
      throw system_error("listen", errno);
    thread_ = std::jthread{[this, answer] { serve(answer); }};
  }

  std::string path() const { return directory_.path() / "socket"; }
  std::string request() {
    thread_.join();
    return request_;
  }

 private:
  void serve(const std::string& answer) {
    const Fd client{accept(listener_.get(), nullptr, nullptr)};
    char part[4096];
    while (!whole()) {
      const auto got = recv(client.get(), part, sizeof part, 0);
      if (got <= 0) break;
      request_.append(part, static_cast<std::size_t>(got));
    }
    send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  }
  bool whole() const {
    return request_.ends_with("</methodCall>\r\n") || request_.starts_with("GET") ||
           request_.ends_with("<end/>");
  }

  TempDir directory_;
  Fd listener_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::string request_;
  std::jthread thread_;
};

std::string http(const std::string& body) {
  return "HTTP/1.0 200 OK\r\nContent-type: text/xml\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string answered(const std::string& answer) {
  OneAnswer server{answer};
  return post_to_socket(server.path(), "<end/>", 60s);
}

TEST(RpcSocket, GivesTheBodyOfTheAnswer) {
  OneAnswer server{http("<hello/>")};
  EXPECT_EQ(post_to_socket(server.path(), "<end/>", 60s), "<hello/>");
  const auto request = server.request();
  EXPECT_TRUE(request.starts_with("POST /RPC2 HTTP/1.0\r\n"));
  EXPECT_NE(request.find("\r\nContent-Length: 6\r\n"), request.npos);
}

TEST(RpcSocket, TakesAnAnswerWithoutALength) {
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\n\r\nall"), "all");
}

TEST(RpcSocket, RefusesWhatIsNotAWholeAnswer) {
  EXPECT_THROW(answered("HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nall"), Error);
  EXPECT_THROW(answered("HTTP/1.0 200 OK\r\nContent-Length: x\r\n\r\nall"), Error);
  EXPECT_THROW(answered("HTTP/1.0 401 Who are you\r\n\r\nall"), Error);
  EXPECT_THROW(answered("SSH-2.0-OpenSSH\r\n"), Error);
  EXPECT_THROW(answered(""), Error);
}

TEST(RpcSocket, SaysThatNobodyIsThere) {
  const TempDir directory;
  EXPECT_THROW(post_to_socket(directory.path() / "none", "", 60s), NobodyThere);
}

TEST(RpcSocket, CarriesCallsOfTheCore) {
  const std::string head =
      "<?xml version=\"1.0\"?><methodResponse><params><param><value><array><data>";
  const std::string tail = "</data></array></value></param></params></methodResponse>";
  {
    OneAnswer server{
        http(head + "<value><boolean>1</boolean></value><value><i4>7</i4></value>" + tail)};
    const Core core{.endpoint = "unix:" + server.path(), .session = "me:se<ret"};
    EXPECT_EQ(core.number("one.vm.backup", {12, true, std::string{"a & b"}}, 60s), 7);
    const auto request = server.request();
    for (const auto* part : {"<methodName>one.vm.backup</methodName>", "me:se&lt;ret",
                             "<i4>12</i4>", "<boolean>1</boolean>", "a &amp; b"})
      EXPECT_NE(request.find(part), request.npos) << part;
  }
  OneAnswer server{http(head +
                        "<value><boolean>0</boolean></value><value><string>[one.vm.backup] no, "
                        "se&lt;ret</string></value><value><i4>256</i4></value>" +
                        tail)};
  const Core core{.endpoint = "unix:" + server.path(), .session = "me:se<ret"};
  try {
    core.number("one.vm.backup", {12}, 60s);
    FAIL() << "it was refused";
  } catch (const Refused& refused) {
    EXPECT_STREQ(refused.what(), "[one.vm.backup] no, ...");
  }
}

}  // namespace
