// SPDX-License-Identifier: Apache-2.0
#include "common/one/core.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <csignal>
#include <optional>
#include <stdexcept>
#include <thread>

#include "common/cancel.h"
#include "common/child.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/rpc.h"
#include "common/test_env.h"

namespace fs = std::filesystem;

namespace {

constexpr auto session = "oneadmin:hunter2";

std::string escaped(std::string_view text) {
  const Xml xml = Xml::create("string");
  xml.root().set_text(text);
  return xml.dump();
}

std::string http(const std::string& body, const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nContent-Type: text/xml\r\nConnection: close\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string response(const std::string& value) {
  return http("<?xml version=\"1.0\"?><methodResponse><params><param><value>" + value +
              "</value></param></params></methodResponse>");
}

// As the core answers: [success, text, error code].
std::string answer(bool success, std::string_view text) {
  return response("<array><data><value><boolean>" + std::string{success ? "1" : "0"} +
                  "</boolean></value><value>" + escaped(text) +
                  "</value><value><i4>0</i4></value></data></array>");
}

// A core on a port of the loopback that answers one call, or keeps it waiting.
class FakeCore {
 public:
  explicit FakeCore(std::optional<std::string> reply) : reply_{std::move(reply)} {
    listener_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_.get(), generic, size) != 0 || listen(listener_.get(), 5) != 0 ||
        getsockname(listener_.get(), generic, &size) != 0)
      throw std::runtime_error{"no port on the loopback"};
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread{[this] { serve(); }};
  }
  FakeCore(const FakeCore&) = delete;
  ~FakeCore() { end_.write.reset(); }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/RPC2"; }

  // Waits for the call; its HTTP text.
  std::string request() {
    pollfd came{arrived_.read.get(), POLLIN, 0};
    if (poll(&came, 1, 60'000) != 1) throw std::runtime_error{"nobody called"};
    return request_;
  }

 private:
  bool readable(int fd) const {
    pollfd fds[] = {{fd, POLLIN, 0}, {end_.read.get(), POLLIN, 0}};
    return poll(fds, 2, -1) > 0 && fds[1].revents == 0;
  }

  void serve() {
    if (!readable(listener_.get())) return;
    const Fd peer{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    char buffer[4096];
    while (request_.find("</methodCall>") == request_.npos && readable(peer.get())) {
      const ssize_t n = read(peer.get(), buffer, sizeof buffer);
      if (n <= 0) return;
      request_.append(buffer, static_cast<size_t>(n));
    }
    write_all(arrived_.write.get(), "x", "say so");  // a forked child may hold the other end too
    if (reply_)
      write_all(peer.get(), *reply_, "answer");
    else
      readable(-1);  // until the end
  }

  std::optional<std::string> reply_;
  std::string request_;
  Fd listener_;
  int port_ = 0;
  Pipe end_, arrived_;
  std::jthread thread_;
};

// The environment of a client of the core at `url`.
class Client {
 public:
  explicit Client(const std::string& url) : endpoint_{"ONE_XMLRPC", url} {
    write_file(home_.path() / "auth", std::string{session} + "\n");
  }

  static std::string refusal(int id) {
    try {
      datastore_from_core(id);
      return "";
    } catch (const Error& e) {
      return e.what();
    }
  }

 private:
  TempDir home_;
  ScopedEnv endpoint_;
  ScopedEnv auth_{"ONE_AUTH", home_.path() / "auth"};
  ScopedEnv directory_{"VMVAULT_CORE_DIR", std::nullopt};
  ScopedEnv remotes_{"VMVAULT_REMOTES", home_.path()};
  ScopedEnv limit_{"VMVAULT_CORE_TIMEOUT", "60"};
  ScopedEnv proxy_{"http_proxy", std::nullopt};
};

constexpr auto datastore =
    "<DATASTORE><ID>100</ID><DS_MAD><![CDATA[restic]]></DS_MAD><TEMPLATE>"
    "<RESTIC_PASSWORD><![CDATA[p<w>&]]></RESTIC_PASSWORD></TEMPLATE></DATASTORE>";

void expect_no_secret(const std::string& text) {
  EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos) << text;
}

}  // namespace

TEST(CoreService, IsAskedForADecryptedDatastore) {
  FakeCore core{answer(true, datastore)};
  const Client client{core.url()};
  const auto found = datastore_from_core(100);
  EXPECT_EQ(found.ds_mad(), "restic");
  EXPECT_EQ(found.required("RESTIC_PASSWORD"), "p<w>&");
  const auto request = core.request();
  const Xml call{request.substr(request.find("<?xml"))};
  EXPECT_EQ(call.at("/methodCall/methodName"), "one.datastore.info");
  EXPECT_EQ(call.at("/methodCall/params/param[1]/value"), session);
  EXPECT_EQ(call.at("/methodCall/params/param[2]/value"), "100");
  EXPECT_EQ(call.at("/methodCall/params/param[3]/value/boolean"), "1");
}

TEST(CoreService, SaysWhatTheBackupsOfADatastoreHave) {
  const auto image = [](int datastore_id, int type, int mb) {
    return "<IMAGE><TYPE>" + std::to_string(type) + "</TYPE><SIZE>" + std::to_string(mb) +
           "</SIZE><DATASTORE_ID>" + std::to_string(datastore_id) + "</DATASTORE_ID></IMAGE>";
  };
  FakeCore core{answer(true, "<IMAGE_POOL>" + image(100, 6, 3000) + image(101, 6, 7) +
                                 image(100, 0, 9) + image(100, 6, 83) + "</IMAGE_POOL>")};
  const Client client{core.url()};
  EXPECT_EQ(backup_mb_from_core(100), 3083);
  const auto request = core.request();
  const Xml call{request.substr(request.find("<?xml"))};
  EXPECT_EQ(call.at("/methodCall/methodName"), "one.imagepool.info");
  EXPECT_EQ(call.at("/methodCall/params/param[2]/value"), "-2");
}

TEST(CoreService, ThatDoesNotListTheImagesIsAnError) {
  const FakeCore core{answer(false, "not authorized")};
  const Client client{core.url()};
  EXPECT_THROW(backup_mb_from_core(100), Error);
}

TEST(CoreService, ThatRefusesIsQuotedWithoutTheSession) {
  const FakeCore core{answer(false, "no such user:\n oneadmin:hunter2 (hunter2)")};
  const Client client{core.url()};
  const auto why = Client::refusal(100);
  EXPECT_EQ(why, "cannot read datastore 100 from '" + core.url() + "': no such user: ... (...)");
  expect_no_secret(why);
}

TEST(CoreService, ThatAnswersNonsenseIsAnError) {
  const auto fault = http(
      "<methodResponse><fault><value><struct><member><name>faultCode</name><value><i4>-501</i4>"
      "</value></member><member><name>faultString</name><value><string>hunter2 is wrong</string>"
      "</value></member></struct></value></fault></methodResponse>");
  for (const auto& reply :
       {fault, response("<string>yes</string>"), response("<array><data></data></array>"),
        response("<array><data><value><i4>1</i4></value><value><i4>2</i4></value></data></array>"),
        response("<array><data><value><boolean>1</boolean></value></data></array>"),
        answer(true, "<IMAGE><ID>100</ID></IMAGE>"), answer(true, "hunter2"), http("<html>"),
        http("", "401 Unauthorized"), http(datastore, "500 Internal Server Error"),
        std::string{"nonsense"}, std::string{}}) {
    const FakeCore core{reply};
    const Client client{core.url()};
    const auto why = Client::refusal(100);
    EXPECT_TRUE(why.starts_with("cannot read datastore 100 from '" + core.url() + "': "))
        << why << "\n"
        << reply;
    expect_no_secret(why);
  }
}

TEST(CoreService, ThatAnswersForAnotherDatastoreIsAnError) {
  const FakeCore core{answer(true, datastore)};
  const Client client{core.url()};
  EXPECT_NE(Client::refusal(101), "");
}

TEST(CoreService, ThatIsNotThereIsAnError) {
  std::string url;
  {
    const FakeCore gone{""};
    url = gone.url();
  }
  const Client client{url};
  const auto why = Client::refusal(100);
  EXPECT_TRUE(why.starts_with("cannot read datastore 100 from '" + url + "': ")) << why;
  expect_no_secret(why);
}

TEST(CoreService, ThatNeverAnswersIsGivenUp) {
  const FakeCore core{std::nullopt};
  const Client client{core.url()};
  const ScopedEnv limit{"VMVAULT_CORE_TIMEOUT", "1"};
  EXPECT_NE(Client::refusal(100), "");
}

TEST(CoreService, ThatNeverAnswersDoesNotHoldACancellationUp) {
  FakeCore core{std::nullopt};
  const Client client{core.url()};
  const ScopedEnv limit{"VMVAULT_CORE_TIMEOUT", "3600"};
  const pid_t pid = fork();
  if (pid == 0) {
    cancel::install();
    try {
      datastore_from_core(100);
    } catch (const Error& e) {
      _exit(static_cast<int>(e.exit()));
    }
    _exit(0);
  }
  core.request();
  kill(pid, SIGTERM);
  int status = 0;
  bool ended = false;
  for (int i = 0; i < 600 && !ended; ++i) {
    ended = waitpid(pid, &status, WNOHANG) == pid;
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
  }
  if (!ended) {
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
  }
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), static_cast<int>(Exit::cancelled));
}

TEST(CoreService, NeedsCredentials) {
  const Client client{"http://127.0.0.1:1/RPC2"};
  const ScopedEnv auth{"ONE_AUTH", "/nonexistent/auth"};
  EXPECT_EQ(Client::refusal(100),
            "cannot read datastore 100: no credentials for the core in '/nonexistent/auth': set "
            "ONE_AUTH");
}

TEST(CoreService, IsFoundThroughFilesInHome) {
  const TempDir home;
  fs::create_directory(home.path() / ".one");
  write_file(home.path() / ".one/one_auth", "alice:secret\n");
  const ScopedEnv here{"HOME", home.path()}, none{"ONE_AUTH", std::nullopt},
      nor{"ONE_XMLRPC", std::nullopt};
  EXPECT_EQ(Core::from_environment().session, "alice:secret");
  EXPECT_EQ(Core::from_environment().endpoint, "http://localhost:2633/RPC2");
  write_file(home.path() / ".one/one_endpoint", " \n");
  EXPECT_EQ(Core::from_environment().endpoint, "http://localhost:2633/RPC2");
  write_file(home.path() / ".one/one_endpoint", "https://one.example.com/RPC2 \n");
  EXPECT_EQ(Core::from_environment().endpoint, "https://one.example.com/RPC2");
}

TEST(CoreService, IsNamedWithoutCredentials) {
  EXPECT_EQ((Core{"https://u:p@ss@h:2633/RPC2", ""}.name()), "https://h:2633/RPC2");
  EXPECT_EQ((Core{"http://h/a@b", ""}.name()), "http://h/a@b");
  EXPECT_EQ((Core{"u:p@h", ""}.name()), "h");
}

TEST(CoreDirectory, TakesThePlaceOfAService) {
  const TempDir dir;
  const ScopedEnv env{"VMVAULT_CORE_DIR", dir.path()};
  fs::create_directory(dir.path() / "datastores");
  write_file(dir.path() / "datastores/100.xml", datastore);
  EXPECT_EQ(datastore_from_core(100).ds_mad(), "restic");
}

TEST(CoreDirectory, NamesTheFileThatItMisses) {
  const TempDir dir;
  const ScopedEnv env{"VMVAULT_CORE_DIR", dir.path()};
  const auto why = Client::refusal(7);
  EXPECT_TRUE(why.starts_with("cannot read datastore 7 from '" + dir.path().string() +
                              "/datastores/7.xml': "))
      << why;
}
