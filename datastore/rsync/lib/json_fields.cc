// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/json_fields.h"

#include "common/error.h"
#include "datastore/rsync/lib/protocol.h"

using nlohmann::json;

namespace rsync {
namespace {

Error bad(const char* name) {
  return Error{std::string{"'"} + name + "' is not what it should be"};
}

}  // namespace

const json& field(const json& object, const char* name) {
  if (!object.is_object()) throw Error{"a part of a message is no object"};
  const auto found = object.find(name);
  if (found == object.end()) throw Error{std::string{"'"} + name + "' is missing"};
  return *found;
}

const json& array_field(const json& object, const char* name) {
  const auto& value = field(object, name);
  if (!value.is_array()) throw bad(name);
  return value;
}

const json& object_field(const json& object, const char* name) {
  const auto& value = field(object, name);
  if (!value.is_object()) throw bad(name);
  return value;
}

std::string text_field(const json& object, const char* name) {
  const auto& value = field(object, name);
  if (!value.is_string()) throw bad(name);
  return value.get<std::string>();
}

bool bool_field(const json& object, const char* name) {
  const auto& value = field(object, name);
  if (!value.is_boolean()) throw bad(name);
  return value.get<bool>();
}

std::int64_t number_field(const json& object, const char* name, std::int64_t least,
                          std::int64_t most) {
  const auto& value = field(object, name);
  if (!value.is_number_integer()) throw bad(name);
  // An unsigned one may be larger than the other type holds.
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) throw bad(name);
  const auto number = value.get<std::int64_t>();
  if (number < least || number > most) throw bad(name);
  return number;
}

std::uint64_t size_field(const json& object, const char* name) {
  return static_cast<std::uint64_t>(number_field(object, name, 0, std::int64_t{1} << 60));
}

std::string backup_name(const json& object, const char* name) {
  auto text = text_field(object, name);
  if (!is_backup_name(text)) throw bad(name);
  return text;
}

std::string file_name(const json& object, const char* name) {
  auto text = text_field(object, name);
  if (!is_file_name(text)) throw bad(name);
  return text;
}

std::string sha256_field(const json& object, const char* name) {
  auto text = text_field(object, name);
  if (!is_sha256(text)) throw bad(name);
  return text;
}

std::string token_field(const json& object, const char* name) {
  auto text = text_field(object, name);
  if (!is_token(text)) throw bad(name);
  return text;
}

std::string to_text(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace rsync
