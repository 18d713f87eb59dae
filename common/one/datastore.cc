// SPDX-License-Identifier: Apache-2.0
#include "common/one/datastore.h"

#include <algorithm>

#include "common/error.h"
#include "common/number.h"
#include "common/one/location.h"

namespace {

int id_of(const XmlNode& datastore) {
  const auto id = parse_int(datastore.find("ID").value_or(""));
  if (datastore.name() != "DATASTORE" || !id)
    throw BadRequest{"the request has no DATASTORE with an ID"};
  return *id;
}

}  // namespace

Datastore::Datastore(const XmlNode& datastore)
    : document_{datastore.dump()},
      id_{id_of(datastore)},
      ds_mad_{datastore.find("DS_MAD").value_or("")} {
  const auto path = datastore.find("BASE_PATH").value_or("");
  if (!path.empty()) base_path_ = normal_path(path);
}

std::optional<std::string> Datastore::attribute(const std::string& name) const {
  const auto attributes = node().first("TEMPLATE");
  if (!attributes) return std::nullopt;
  for (const auto& child : attributes->children()) {
    if (child.name() != name) continue;
    std::string text = child.text();
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
      text = text.substr(1, text.size() - 2);
    if (!text.empty()) return text;
  }
  return std::nullopt;
}

std::string Datastore::attribute(const std::string& name, const std::string& fallback) const {
  return attribute(name).value_or(fallback);
}

std::string Datastore::required(const std::string& name) const {
  if (auto value = attribute(name)) return *std::move(value);
  throw BadRequest{"datastore " + std::to_string(id_) + " has no " + name};
}

std::int64_t Datastore::number(const std::string& name, std::int64_t fallback) const {
  const auto text = attribute(name);
  if (!text) return fallback;
  if (const auto number = parse_number(*text)) return *number;
  throw BadRequest{"the " + name + " of datastore " + std::to_string(id_) + " is not a number"};
}

bool Datastore::flag(const std::string& name) const {
  std::string text = attribute(name).value_or("");
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text == "YES";
}
