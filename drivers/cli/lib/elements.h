// SPDX-License-Identifier: Apache-2.0
// Reading pools of many objects: XML elements without XPath, and as JSON.
#pragma once

#include <libxml/tree.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/one/xml.h"

namespace cli {

using Json = nlohmann::ordered_json;

// An element, or nothing; valid as long as its document.
class Element {
 public:
  explicit Element(const xmlNode* node = nullptr) : node_{node} {}
  explicit Element(const Xml& document) : node_{document.root().raw()} {}

  explicit operator bool() const { return node_ != nullptr; }
  std::string_view name() const;
  // The first child of this name; nothing if there is none.
  Element child(std::string_view name) const;
  std::vector<Element> children() const;
  std::vector<Element> children(std::string_view name) const;
  bool is_leaf() const;  // it has no child elements

  std::string text() const;  // empty for nothing
  std::string text(std::string_view name) const { return child(name).text(); }
  std::int64_t number(std::string_view name, std::int64_t otherwise = -1) const;

 private:
  const xmlNode* node_;
};

// As OpenNebula's tools write it: an object of the children, where texts are strings, an empty
// element is {}, and several of the same name are an array.  The elements of a pool always are.
Json to_json(const Element& root);

}  // namespace cli
