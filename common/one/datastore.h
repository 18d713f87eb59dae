// SPDX-License-Identifier: Apache-2.0
// A datastore as the core describes it (element DATASTORE; contract 2.9 and 3.1).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/one/xml.h"

class Datastore {
 public:
  explicit Datastore(const XmlNode& datastore);  // BadRequest without an ID

  int id() const { return id_; }
  const std::string& ds_mad() const { return ds_mad_; }
  const std::filesystem::path& base_path() const { return base_path_; }  // normal; may be empty

  // An attribute of its template.  Empty counts as absent; one pair of surrounding double
  // quotes is taken off.
  std::optional<std::string> attribute(const std::string& name) const;
  std::string attribute(const std::string& name, const std::string& fallback) const;
  std::string required(const std::string& name) const;  // BadRequest, naming it
  std::int64_t number(const std::string& name,
                      std::int64_t fallback) const;  // BadRequest, naming it
  bool flag(const std::string& name) const;          // YES in any case

  XmlNode node() const { return document_.root(); }

 private:
  Xml document_;  // a copy: the request may be gone before we are
  int id_;
  std::string ds_mad_;
  std::filesystem::path base_path_;
};
