// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/api_call.h"

#include <xmlrpc-c/base.h>

#include <climits>
#include <cstdlib>
#include <memory>

#include "common/handle.h"
#include "common/one/xml.h"

namespace api {
namespace {

constexpr std::size_t most_arguments = 32;
constexpr unsigned deepest = 16;

struct Env : xmlrpc_env {
  Env() { xmlrpc_env_init(this); }
  Env(const Env&) = delete;
  ~Env() { xmlrpc_env_clean(this); }
  bool failed() const { return fault_occurred != 0; }
  // For what can only fail for want of memory.
  void check() const {
    if (failed()) throw Error{"cannot make an answer"};
  }
};

using Value = Owned<xmlrpc_value, xmlrpc_DECREF>;
using Block = Owned<xmlrpc_mem_block, xmlrpc_mem_block_free>;
using Chars =
    std::unique_ptr<const char,
                    decltype([](const char* text) { std::free(const_cast<char*>(text)); })>;

BadRequest unreadable() { return BadRequest{"this is no XML-RPC call that can be read"}; }

std::string text_of(xmlrpc_value* value) {
  Env env;
  std::size_t size = 0;
  const char* text = nullptr;
  xmlrpc_read_string_lp(&env, value, &size, &text);
  if (env.failed()) throw unreadable();
  const Chars owned{text};
  return {text, size};
}

std::string text_of(const xmlrpc_mem_block& block) {
  return {static_cast<const char*>(xmlrpc_mem_block_contents(&block)),
          xmlrpc_mem_block_size(&block)};
}

Value item(xmlrpc_value* array, std::size_t at) {
  Env env;
  xmlrpc_value* value = nullptr;
  xmlrpc_array_read_item(&env, array, static_cast<unsigned>(at), &value);
  if (env.failed()) throw unreadable();
  return Value{value};
}

std::size_t size_of(xmlrpc_value* array) {
  Env env;
  const int size = xmlrpc_array_size(&env, array);
  if (env.failed() || size < 0) throw unreadable();
  return static_cast<std::size_t>(size);
}

WrongArguments no_such_type(std::size_t at) {
  return WrongArguments{"argument " + std::to_string(at) + " has a type that no method takes"};
}

Numbers numbers_of(xmlrpc_value* array, std::size_t argument) {
  Numbers all;
  for (std::size_t at = 0; at < size_of(array); ++at) {
    Env env;
    int number = 0;
    xmlrpc_read_int(&env, item(array, at).get(), &number);
    if (env.failed()) throw no_such_type(argument);
    all.push_back(number);
  }
  return all;
}

Argument argument(xmlrpc_value* value, std::size_t at) {
  Env env;
  switch (xmlrpc_value_type(value)) {
    case XMLRPC_TYPE_BOOL: {
      xmlrpc_bool flag = 0;
      xmlrpc_read_bool(&env, value, &flag);
      return flag != 0;
    }
    case XMLRPC_TYPE_INT: {
      int number = 0;
      xmlrpc_read_int(&env, value, &number);
      return std::int64_t{number};
    }
    case XMLRPC_TYPE_I8: {
      xmlrpc_int64 number = 0;
      xmlrpc_read_i8(&env, value, &number);
      return std::int64_t{number};
    }
    case XMLRPC_TYPE_STRING:
      return text_of(value);
    case XMLRPC_TYPE_ARRAY:
      return numbers_of(value, at);
    default:
      throw no_such_type(at);
  }
}

Value made(xmlrpc_value* value, const Env& env) {
  env.check();
  return Value{value};
}

Value value_of(const Argument& argument) {
  Env env;
  if (const auto* flag = std::get_if<bool>(&argument)) {
    auto* value = xmlrpc_bool_new(&env, *flag ? 1 : 0);
    return made(value, env);
  }
  if (const auto* number = std::get_if<std::int64_t>(&argument)) {
    auto* value = xmlrpc_int_new(&env, static_cast<int>(*number));
    return made(value, env);
  }
  const auto& text = std::get<std::string>(argument);
  auto* value = xmlrpc_string_new_lp(&env, text.size(), text.data());
  return made(value, env);
}

std::string body_of(const std::vector<Argument>& values) {
  Env env;
  const Value array{xmlrpc_array_new(&env)};
  env.check();
  for (const auto& one : values) {
    const auto value = value_of(one);
    xmlrpc_array_append_item(&env, array.get(), value.get());
  }
  const Block block{xmlrpc_mem_block_new(&env, 0)};
  env.check();
  xmlrpc_serialize_response2(&env, block.get(), array.get(), xmlrpc_dialect_i8);
  env.check();
  return text_of(*block);
}

void set_limits() {
  static const bool once = [] {
    xmlrpc_limit_set(XMLRPC_NESTING_LIMIT_ID, deepest);
    xmlrpc_limit_set(XMLRPC_XML_SIZE_LIMIT_ID, longest_body);
    return true;
  }();
  (void)once;
}

// The document without what only XML has (entities, a DTD), and without an i8 that is no number:
// xmlrpc-c (1.33.14) dies while it words what is wrong with that.
std::string without_traps(std::string_view body) {
  const Xml document{body};
  for (const auto& number : document.root().find_all("//*[contains(name(), 'i8')]"))
    number.number_at(".");
  return document.dump();
}

template <class T>
constexpr const char* name_of = std::is_same_v<T, bool>          ? "a boolean"
                                : std::is_same_v<T, std::string> ? "a string"
                                : std::is_same_v<T, Numbers>     ? "an array of integers"
                                                                 : "an integer";

template <class T>
const T& insist(const T* found, std::size_t at) {
  if (!found) throw WrongArguments{"argument " + std::to_string(at) + " has to be " + name_of<T>};
  return *found;
}

}  // namespace

template <class T>
const T* Call::find(std::size_t at) const {
  return at < arguments.size() ? std::get_if<T>(&arguments[at]) : nullptr;
}

const std::string& Call::text(std::size_t at) const { return insist(find<std::string>(at), at); }

int Call::number(std::size_t at) const {
  const auto value = insist(find<std::int64_t>(at), at);
  if (value < INT_MIN || value > INT_MAX)
    throw WrongArguments{"argument " + std::to_string(at) + " is too large a number"};
  return static_cast<int>(value);
}

bool Call::flag(std::size_t at) const { return insist(find<bool>(at), at); }

std::string Call::text(std::size_t at, const std::string& fallback) const {
  return at < arguments.size() ? text(at) : fallback;
}
int Call::number(std::size_t at, int fallback) const {
  return at < arguments.size() ? number(at) : fallback;
}
bool Call::flag(std::size_t at, bool fallback) const {
  return at < arguments.size() ? flag(at) : fallback;
}

Numbers Call::numbers(std::size_t at, const Numbers& fallback) const {
  return at < arguments.size() ? insist(find<Numbers>(at), at) : fallback;
}

Call parse_call(std::string_view body) {
  set_limits();
  if (body.size() > longest_body) throw unreadable();
  std::string clean;
  try {
    clean = without_traps(body);
  } catch (const BadRequest&) {
    throw unreadable();
  }
  Env env;
  const char* method = nullptr;
  xmlrpc_value* parameters = nullptr;
  xmlrpc_parse_call(&env, clean.data(), clean.size(), &method, &parameters);
  if (env.failed()) throw unreadable();
  const Chars name{method};
  const Value all{parameters};
  const auto count = size_of(all.get());
  if (count > most_arguments) throw unreadable();
  Call call{.method = name.get(), .arguments = {}};
  for (std::size_t at = 0; at < count; ++at)
    call.arguments.push_back(argument(item(all.get(), at).get(), at));
  return call;
}

std::string success(const Argument& value) { return body_of({true, value, std::int64_t{0}}); }

std::string failure(const Failure& failure) {
  return body_of({false, one_line(failure.what()), std::int64_t{static_cast<int>(failure.code)},
                  std::int64_t{failure.object}});
}

std::string fault(int code, const std::string& text) {
  Env reason, env;
  xmlrpc_env_set_fault(&reason, code, text.c_str());
  const Block block{xmlrpc_mem_block_new(&env, 0)};
  env.check();
  xmlrpc_serialize_fault(&env, block.get(), &reason);
  env.check();
  return text_of(*block);
}

}  // namespace api
