// SPDX-License-Identifier: Apache-2.0
// Fields of a JSON object that somebody else wrote: each is what it should be, or an Error says
// which is not.
#pragma once

#include <climits>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace rsync {

const nlohmann::json& field(const nlohmann::json& object, const char* name);
const nlohmann::json& array_field(const nlohmann::json& object, const char* name);
const nlohmann::json& object_field(const nlohmann::json& object, const char* name);
std::string text_field(const nlohmann::json& object, const char* name);
bool bool_field(const nlohmann::json& object, const char* name);
std::int64_t number_field(const nlohmann::json& object, const char* name, std::int64_t least,
                          std::int64_t most);
std::uint64_t size_field(const nlohmann::json& object, const char* name);  // up to 2^60
std::string backup_name(const nlohmann::json& object, const char* name);
std::string file_name(const nlohmann::json& object, const char* name);
std::string sha256_field(const nlohmann::json& object, const char* name);
std::string token_field(const nlohmann::json& object, const char* name);

// What is no UTF-8 in it is replaced.
std::string to_text(const nlohmann::json& document);

}  // namespace rsync
