// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/http_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <cstring>

#include "common/error.h"
#include "common/file.h"

namespace vmvaultd {
namespace {

using namespace std::chrono_literals;

struct HttpServerTest : testing::Test {
  TempDir dir;
  std::string path = dir.path() / "socket";
  std::atomic<int> calls{0};

  HttpServer::Answers answers() {
    return {.call =
                [this](std::string_view body, const std::string& way) {
                  ++calls;
                  return way + " " + std::string{body};
                },
            .metrics = [] { return std::optional<std::string>{"up 1\n"}; }};
  }
  std::unique_ptr<HttpServer> serve(HttpServer::Limits limits = {}) {
    std::vector<Listener> listeners;
    listeners.push_back(listen_on_file(path));
    return std::make_unique<HttpServer>(std::move(listeners), answers(), limits);
  }
  Fd connected() const {
    Fd made{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::strcpy(address.sun_path, path.c_str());
    if (connect(made.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw system_error("connect", errno);
    return made;
  }
  // All until the other side closes.
  static std::string rest(const Fd& client) {
    std::string text;
    char part[4096];
    for (ssize_t got; (got = recv(client.get(), part, sizeof part, 0)) > 0;)
      text.append(part, static_cast<std::size_t>(got));
    return text;
  }
  std::string ask(const std::string& request) const {
    const auto client = connected();
    send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
    return rest(client);
  }
  static std::string post(const std::string& body, std::size_t length) {
    return "POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: " +
           std::to_string(length) + "\r\n\r\n" + body;
  }
};

TEST_F(HttpServerTest, AnswersCallsAndMetricsAndNothingElse) {
  const auto server = serve();
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0660u);
  const auto answer = ask(post("body", 4));
  EXPECT_NE(answer.find(" 200 "), answer.npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nsocket body")) << answer;
  EXPECT_TRUE(ask("GET /metrics HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nup 1\n"));
  for (const char* other : {"GET / HTTP/1.0\r\n\r\n", "GET /RPC2 HTTP/1.0\r\n\r\n",
                            "POST /metrics HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
                            "GET /../../etc/passwd HTTP/1.0\r\n\r\n", "nonsense\r\n\r\n"}) {
    const auto refused = ask(other);
    EXPECT_NE(refused.find(" 4"), refused.npos) << other << refused;
    EXPECT_EQ(refused.find("root:"), refused.npos);
  }
  EXPECT_EQ(calls, 1);
}

TEST_F(HttpServerTest, RefusesWhatIsTooLargeOrHasNoLength) {
  const auto server = serve();
  EXPECT_EQ(ask(post("", 2'000'000'000)).find(" 200 "), std::string::npos);
  EXPECT_EQ(ask("POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\n\r\nbody").find(" 200 "),
            std::string::npos);
  EXPECT_EQ(calls, 0);
}

TEST_F(HttpServerTest, CutsOffWhoStaysSilent) {
  const auto server = serve({.reading = 200ms});
  const auto silent = connected(), half = connected();
  const auto part = post("half", 8);
  send(half.get(), part.data(), part.size(), MSG_NOSIGNAL);
  rest(silent);  // both end
  rest(half);
  EXPECT_EQ(calls, 0);
}

TEST_F(HttpServerTest, WhoHasBeenSendingForLongestMakesRoom) {
  const auto server = serve({.places = 4, .reading = 1h});
  std::vector<Fd> silent;
  for (int n = 0; n < 12; ++n) silent.push_back(connected());
  EXPECT_TRUE(ask(post("body", 4)).ends_with("socket body"));
  rest(silent.front());
}

TEST_F(HttpServerTest, TakesThePlaceOfADeadServiceAndNotOfALivingOne) {
  {
    const auto server = serve();
    EXPECT_THROW(listen_on_file(path), Error);
  }
  EXPECT_TRUE(std::filesystem::exists(path));
  const auto server = serve();
  EXPECT_TRUE(ask(post("body", 4)).ends_with("socket body"));
}

TEST_F(HttpServerTest, ListensOnAddressesInNumbers) {
  EXPECT_NO_THROW(listen_on_address("127.0.0.1", 0));
  EXPECT_THROW(listen_on_address("localhost", 0), BadRequest);
  EXPECT_THROW(listen_on_address("", 0), BadRequest);
  EXPECT_THROW(listen_on_file(std::string(200, 'x')), BadRequest);
}

}  // namespace
}  // namespace vmvaultd
