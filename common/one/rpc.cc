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
#include <string_view>
#include <thread>
#include <vector>

#include "common/cancel.h"
#include "common/child.h"
#include "common/error.h"
#include "common/one/rpc_session.h"
#include "common/one/rpc_socket.h"
#include "common/one/server_token.h"

namespace fs = std::filesystem;

namespace {

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

struct FreeText {
  void operator()(const char* text) const { std::free(const_cast<char*>(text)); }
};

constexpr std::string_view unix_scheme = "unix:";

using Value = Owned<xmlrpc_value, xmlrpc_DECREF>;
using Client = Owned<xmlrpc_client, xmlrpc_client_destroy>;

void set_up_library() {
  static const bool once = [] {
    Env env;
    xmlrpc_client_setup_global_const(&env);
    env.check();
    xmlrpc_limit_set(XMLRPC_XML_SIZE_LIMIT_ID, 64 << 20);
    return true;
  }();
  (void)once;
}

Client make_client(std::chrono::seconds limit) {
  set_up_library();
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
  const std::unique_ptr<const char, FreeText> owned{text};
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

Value array_of(const std::string& session, const RpcArguments& arguments) {
  Env env;
  Value array{xmlrpc_array_new(&env)};
  const auto append = [&](xmlrpc_value* made) {
    const Value value{made};
    env.check();
    xmlrpc_array_append_item(&env, array.get(), value.get());
    env.check();
  };
  const auto text = [&](const std::string& of) {
    append(xmlrpc_string_new_lp(&env, of.size(), of.data()));
  };
  text(session);
  for (const auto& one : arguments) {
    if (const auto* flag = std::get_if<bool>(&one)) append(xmlrpc_bool_new(&env, *flag ? 1 : 0));
    if (const auto* number = std::get_if<int>(&one)) append(xmlrpc_int_new(&env, *number));
    if (const auto* words = std::get_if<std::string>(&one)) text(*words);
  }
  return array;
}

Value ask_socket(const fs::path& socket, const std::string& method, xmlrpc_value* parameters,
                 std::chrono::seconds limit, Stops stops) {
  set_up_library();
  Env env;
  const Owned<xmlrpc_mem_block, xmlrpc_mem_block_free> body{xmlrpc_mem_block_new(&env, 0)};
  env.check();
  xmlrpc_serialize_call(&env, body.get(), method.c_str(), parameters);
  env.check();
  const auto answer =
      post_to_socket(socket,
                     {static_cast<const char*>(xmlrpc_mem_block_contents(body.get())),
                      xmlrpc_mem_block_size(body.get())},
                     limit, stops == Stops::when_cancelled);
  xmlrpc_value* result = nullptr;
  int fault = 0;
  const char* why = nullptr;
  xmlrpc_parse_response2(&env, answer.data(), answer.size(), &result, &fault, &why);
  env.check();
  if (why) {
    const std::unique_ptr<const char, FreeText> owned{why};
    throw Error{why};
  }
  return Value{result};
}

Value ask_url(const Core& core, const std::string& method, xmlrpc_value* parameters,
              std::chrono::seconds limit, Stops stops) {
  const Client client = make_client(limit);
  std::optional<Interrupt> interrupt;
  if (stops == Stops::when_cancelled) interrupt.emplace(client.get());
  Env env;
  const Owned<xmlrpc_server_info, xmlrpc_server_info_free> server{
      xmlrpc_server_info_new(&env, core.endpoint.c_str())};
  env.check();
  xmlrpc_value* answer = nullptr;
  xmlrpc_client_call2(&env, client.get(), server.get(), method.c_str(), parameters, &answer);
  // An answer that has come counts: the core has done it.
  if (env.fault_occurred && stops == Stops::when_cancelled) cancel::check();
  env.check();
  return Value{answer};
}

// method(session, arguments).
Value call(const Core& core, const std::string& method, std::chrono::seconds limit,
           const RpcArguments& arguments, Stops stops = Stops::when_cancelled) try {
  const auto parameters = array_of(core.session, arguments);
  const auto answer = core.endpoint.starts_with(unix_scheme)
                          ? ask_socket(core.endpoint.substr(unix_scheme.size()), method,
                                       parameters.get(), limit, stops)
                          : ask_url(core, method, parameters.get(), limit, stops);
  return unpack(answer.get());
} catch (const Cancelled&) {
  throw;
} catch (const NobodyThere&) {
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

Core Core::from_environment() { return {rpc::endpoint(), rpc::session()}; }

Core Core::as_user(const std::string& user) { return {rpc::endpoint(), server_session(user)}; }

std::string Core::name() const {
  const auto scheme = endpoint.find("://");
  const auto host = scheme == endpoint.npos ? 0 : scheme + 3;
  const auto at = endpoint.substr(0, endpoint.find('/', host)).rfind('@');
  return at == endpoint.npos || at < host ? endpoint
                                          : endpoint.substr(0, host) + endpoint.substr(at + 1);
}

std::string Core::text(const std::string& method, const RpcArguments& arguments,
                       std::chrono::seconds limit) const {
  return text_of(call(*this, method, limit, arguments).get());
}

int Core::number(const std::string& method, const RpcArguments& arguments,
                 std::chrono::seconds limit) const {
  return number_of(call(*this, method, limit, arguments));
}

std::string Core::info(const std::string& method, int id, std::chrono::seconds limit) const {
  return text(method, {id, true}, limit);
}

std::string Core::closed_info(const std::string& method, int id, std::chrono::seconds limit) const {
  return text(method, {id}, limit);
}

std::string Core::images(int offset, int count, std::chrono::seconds limit) const {
  constexpr int of_all_users = -2;
  return text("one.imagepool.info", {of_all_users, offset, -count}, limit);
}

int Core::allocate_image(const std::string& words, int datastore_id,
                         std::chrono::seconds limit) const {
  constexpr bool skip_capacity_check = false;
  return number("one.image.allocate", {words, datastore_id, skip_capacity_check}, limit);
}

int Core::allocate_template(const std::string& words, std::chrono::seconds limit) const {
  return number("one.template.allocate", {words}, limit);
}

void Core::delete_image(int id, std::chrono::seconds limit) const {
  call(*this, "one.image.delete", limit, {id, false}, Stops::never);
}

void Core::delete_template(int id, std::chrono::seconds limit) const {
  constexpr bool images_too = false;
  call(*this, "one.template.delete", limit, {id, images_too}, Stops::never);
}
