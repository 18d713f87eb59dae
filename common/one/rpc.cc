// SPDX-License-Identifier: Apache-2.0
#include "common/one/rpc.h"

#include <poll.h>
#include <xmlrpc-c/base.h>
#include <xmlrpc-c/client.h>
#include <xmlrpc-c/client_global.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "common/cancel.h"
#include "common/child.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/server_token.h"

namespace fs = std::filesystem;

namespace {

std::optional<std::string> environment(const char* name) {
  const char* value = getenv(name);
  return value && *value ? std::optional<std::string>{value} : std::nullopt;
}

fs::path in_home(const char* name) {
  const auto home = environment("HOME");
  return home ? fs::path{*home} / ".one" / name : fs::path{};
}

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  line.erase(line.find_last_not_of(" \t\r") + 1);
  return line;
}

std::string find_session() {
  const auto named = environment("ONE_AUTH");
  std::vector<fs::path> files{in_home("one_auth"), "/var/lib/one/.one/one_auth"};
  if (named) files = {*named};
  for (const auto& file : files) {
    const auto text = file.empty() ? std::nullopt : read_file_if_any(file);
    if (text && !first_line(*text).empty()) return first_line(*text);
  }
  throw Error{"no credentials for the core in '" + files.back().string() + "': set ONE_AUTH"};
}

std::string find_endpoint() {
  if (auto url = environment("ONE_XMLRPC")) return *std::move(url);
  const auto file = in_home("one_endpoint");
  const auto text = file.empty() ? std::nullopt : read_file_if_any(file);
  if (text && !first_line(*text).empty()) return first_line(*text);
  return "http://localhost:2633/RPC2";
}

void blot_out(std::string& text, const std::string& secret) {
  if (secret.empty()) return;
  for (size_t at = 0; (at = text.find(secret, at)) != text.npos; at += 3)
    text.replace(at, secret.size(), "...");
}

// --- xmlrpc-c ---

struct Env : xmlrpc_env {
  Env() { xmlrpc_env_init(this); }
  Env(const Env&) = delete;
  ~Env() { xmlrpc_env_clean(this); }
  void check() const {
    if (fault_occurred) throw Error{fault_string ? fault_string : "no reason given"};
  }
};

using Value = Owned<xmlrpc_value, xmlrpc_DECREF>;
using Client = Owned<xmlrpc_client, xmlrpc_client_destroy>;

void set_up_library() {
  Env env;
  xmlrpc_client_setup_global_const(&env);
  env.check();
  xmlrpc_limit_set(XMLRPC_XML_SIZE_LIMIT_ID, 64 << 20);
}

Client make_client(std::chrono::seconds limit) {
  static const bool once = (set_up_library(), true);
  (void)once;
  xmlrpc_curl_xportparms curl{};
  curl.timeout = static_cast<unsigned>(std::chrono::milliseconds{limit}.count());
  xmlrpc_clientparms parms{};
  parms.transport = "curl";
  parms.transportparmsP = &curl;
  parms.transportparm_size = XMLRPC_CXPSIZE(timeout);
  Env env;
  xmlrpc_client* client = nullptr;
  xmlrpc_client_create(&env, XMLRPC_CLIENT_NO_FLAGS, "vmvault", "1", &parms,
                       XMLRPC_CPSIZE(transportparm_size), &client);
  env.check();
  return Client{client};
}

// While it lives, a cancellation interrupts the client.
class Interrupt {
 public:
  explicit Interrupt(xmlrpc_client* client) {
    xmlrpc_client_set_interrupt(client, &interrupted_);
    if (cancel::fd() == -1) return;
    thread_ = std::jthread{[this] {
      pollfd fds[] = {{end_.read.get(), POLLIN, 0},
                      {cancel::fd(), POLLIN, 0},
                      {cancel::watched(), POLLRDHUP, 0}};
      while (poll(fds, std::size(fds), -1) == -1) {
      }
      if (cancel::requested()) interrupted_ = 1;
    }};
  }
  Interrupt(const Interrupt&) = delete;
  ~Interrupt() { end_.write.reset(); }

 private:
  int interrupted_ = 0;  // read by the library, which knows no atomics
  Pipe end_;
  std::jthread thread_;
};

Value item(xmlrpc_value* array, unsigned index) {
  Env env;
  xmlrpc_value* value = nullptr;
  xmlrpc_array_read_item(&env, array, index, &value);
  env.check();
  return Value{value};
}

std::string text_of(xmlrpc_value* value) {
  Env env;
  const char* text = nullptr;
  xmlrpc_read_string(&env, value, &text);
  env.check();
  const std::unique_ptr<const char,
                        decltype([](const char* c) { std::free(const_cast<char*>(c)); })>
      owned{text};
  return text;
}

// What [true, answer, ...] holds; Refused for [false, message, code, ...].
Value unpack(xmlrpc_value* answer) {
  if (xmlrpc_value_type(answer) != XMLRPC_TYPE_ARRAY) throw Error{"the answer is not an array"};
  Env env;
  xmlrpc_bool success = 0;
  xmlrpc_read_bool(&env, item(answer, 0).get(), &success);
  env.check();
  Value value = item(answer, 1);
  if (!success) throw Refused{text_of(value.get())};
  return value;
}

// Neither curl nor the core is trusted not to repeat what it was given.
std::string without_secrets(const Core& core, std::string text) {
  blot_out(text, core.endpoint);
  blot_out(text, core.session);
  blot_out(text, core.session.substr(core.session.find(':') + 1));
  return one_line(text);
}

enum class Stops { when_cancelled, never };

// method(session, arguments), which are as `format` says.
template <Stops stops = Stops::when_cancelled, class... Arguments>
Value call(const Core& core, const std::string& method, std::chrono::seconds limit,
           const char* format, Arguments... arguments) try {
  const Client client = make_client(limit);
  std::optional<Interrupt> interrupt;
  if (stops == Stops::when_cancelled) interrupt.emplace(client.get());
  Env env;
  xmlrpc_value* answer = nullptr;
  xmlrpc_client_call2f(&env, client.get(), core.endpoint.c_str(), method.c_str(), &answer, format,
                       core.session.c_str(), arguments...);
  // An answer that has come counts: the core has done it.
  if (env.fault_occurred && stops == Stops::when_cancelled) cancel::check();
  env.check();
  return unpack(Value{answer}.get());
} catch (const Cancelled&) {
  throw;
} catch (const Refused& e) {
  throw Refused{without_secrets(core, e.what())};
} catch (const Error& e) {
  throw Error{without_secrets(core, e.what())};
}

int number_of(const Value& value) {
  Env env;
  int number = 0;
  xmlrpc_read_int(&env, value.get(), &number);
  env.check();
  return number;
}

}  // namespace

Core Core::from_environment() { return {find_endpoint(), find_session()}; }

Core Core::as_user(const std::string& user) { return {find_endpoint(), server_session(user)}; }

std::string Core::name() const {
  const auto scheme = endpoint.find("://");
  const auto host = scheme == endpoint.npos ? 0 : scheme + 3;
  const auto at = endpoint.substr(0, endpoint.find('/', host)).rfind('@');
  return at == endpoint.npos || at < host ? endpoint
                                          : endpoint.substr(0, host) + endpoint.substr(at + 1);
}

std::string Core::info(const std::string& method, int id, std::chrono::seconds limit) const {
  return text_of(call(*this, method, limit, "(sib)", id, 1).get());
}

std::string Core::closed_info(const std::string& method, int id, std::chrono::seconds limit) const {
  return text_of(call(*this, method, limit, "(si)", id).get());
}

std::string Core::images(int offset, int count, std::chrono::seconds limit) const {
  constexpr int of_all_users = -2;
  return text_of(
      call(*this, "one.imagepool.info", limit, "(siii)", of_all_users, offset, -count).get());
}

int Core::allocate_image(const std::string& text, int datastore_id,
                         std::chrono::seconds limit) const {
  constexpr int check_capacity = 0;  // "skip the check": no
  return number_of(call(*this, "one.image.allocate", limit, "(ssib)", text.c_str(), datastore_id,
                        check_capacity));
}

int Core::allocate_template(const std::string& text, std::chrono::seconds limit) const {
  return number_of(call(*this, "one.template.allocate", limit, "(ss)", text.c_str()));
}

void Core::delete_image(int id, std::chrono::seconds limit) const {
  call<Stops::never>(*this, "one.image.delete", limit, "(sib)", id, 0);
}

void Core::delete_template(int id, std::chrono::seconds limit) const {
  constexpr int images_too = 0;
  call<Stops::never>(*this, "one.template.delete", limit, "(sib)", id, images_too);
}
