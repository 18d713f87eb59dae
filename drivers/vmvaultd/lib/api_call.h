// SPDX-License-Identifier: Apache-2.0
// Calls and answers of XML-RPC, as OpenNebula's clients write and read them: without I/O.
//
// A body is foreign: it is read by the bounded parser of common/one/xml.h, and only what that has
// read and written again gets to xmlrpc-c.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/error.h"

namespace api {

inline constexpr std::size_t longest_body = 1 << 20;

using Numbers = std::vector<std::int64_t>;
using Argument = std::variant<bool, std::int64_t, std::string, Numbers>;

// Of a type, or a number, that the method does not take.
struct WrongArguments : BadRequest {
  using BadRequest::BadRequest;
};

struct Call {
  std::string method;
  std::vector<Argument> arguments;

  // WrongArguments, naming its number, for one that is missing or of another type.
  const std::string& text(std::size_t at) const;
  int number(std::size_t at) const;
  bool flag(std::size_t at) const;
  // The same, where it may be missing.
  std::string text(std::size_t at, const std::string& fallback) const;
  int number(std::size_t at, int fallback) const;
  bool flag(std::size_t at, bool fallback) const;
  Numbers numbers(std::size_t at, const Numbers& fallback) const;

 private:
  template <class T>
  const T* find(std::size_t at) const;
};

// BadRequest, which quotes nothing of it, for what is no call, or has arguments of other types.
Call parse_call(std::string_view body);

// Why a call failed, in the core's numbers.
enum class Code : int {
  authentication = 0x0100,
  authorization = 0x0200,
  no_exists = 0x0400,
  action = 0x0800,
  api = 0x1000,
  internal = 0x2000,
  allocate = 0x4000,
};

struct Failure : Error {
  Failure(Code code_, const std::string& text, int object_ = -1)
      : Error{text}, code{code_}, object{object_} {}
  Code code;
  int object;
};

// The body of [true, value, 0].
std::string success(const Argument& value);
// The body of [false, text, code, object].
std::string failure(const Failure& failure);
// The body of a fault: what cannot be read, or names no method.
std::string fault(int code, const std::string& text);

inline constexpr int fault_parse = -503, fault_type = -501, fault_no_method = -506;

}  // namespace api
