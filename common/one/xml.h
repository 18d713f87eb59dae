// SPDX-License-Identifier: Apache-2.0
// XML from a caller we do not trust, and XML for the next program.
//
// Reading is bounded and closed to the world: no entity is expanded beyond the five of the
// standard and character references, no DTD is loaded, nothing is fetched, and size and depth
// have limits.
#pragma once

#include <libxml/tree.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/handle.h"

// A read-only handle on one element; valid as long as the Xml that it came from.
class XmlNode {
 public:
  explicit XmlNode(xmlNode* node) : node_{node} {}

  std::string name() const;
  std::string text() const;  // the content, with that of all descendants
  std::optional<std::string> attribute(const std::string& name) const;

  // XPath 1.0, relative to this element ("TEMPLATE/DISK[TARGET='vda']/SIZE").  Never build an
  // expression from foreign text: select with find_all() and compare in C++.
  std::optional<std::string> find(const std::string& xpath) const;  // absence is normal
  std::string at(const std::string& xpath) const;  // absence is the caller's fault: BadRequest
  std::optional<XmlNode> first(const std::string& xpath) const;
  std::vector<XmlNode> find_all(const std::string& xpath) const;  // in document order

  // The number at `xpath`: decimal, with sign.  BadRequest when it is not one.
  std::optional<std::int64_t> find_number(const std::string& xpath) const;
  std::int64_t number_at(const std::string& xpath) const;

  std::vector<XmlNode> children() const;  // the child elements
  std::string dump() const;               // this element as XML text, without declaration

  // --- changing a document of ours ---
  XmlNode add(const std::string& name);                         // a new last child
  XmlNode add(const std::string& name, std::string_view text);  // the same, with text in it
  XmlNode add_copy(const XmlNode& other);                       // a deep copy, as last child
  void set_text(std::string_view text);
  void set_attribute(const std::string& name, std::string_view value);
  void remove();  // this element goes; the handle is dead afterwards

  xmlNode* raw() const { return node_; }

 private:
  xmlNode* node_;
};

class Xml {
 public:
  // At most 64 MiB and 128 levels.  Throws BadRequest, whose text never quotes the input.
  explicit Xml(std::string_view text);
  // A new document with this root element.
  static Xml create(const std::string& root);
  // What libvirt says: the layers of a disk are nested in it, and may be many.  At most 1024
  // levels.
  static Xml from_libvirt(std::string_view text);

  XmlNode root() const;
  // XPath from the document: "/VM/ID".  As XmlNode's.
  std::optional<std::string> find(const std::string& xpath) const { return root().find(xpath); }
  std::string at(const std::string& xpath) const { return root().at(xpath); }
  std::string dump() const { return root().dump(); }

 private:
  explicit Xml(xmlDoc* doc) : doc_{doc} {}
  Owned<xmlDoc, xmlFreeDoc> doc_;
};
