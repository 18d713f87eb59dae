// SPDX-License-Identifier: Apache-2.0
// XML text as it is written, without a tree: for documents of thousands of objects.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// What XML or UTF-8 cannot hold becomes '?'.
std::string valid_text(std::string_view text);
// That as text of an element: escaped.
void append_xml_text(std::string& out, std::string_view text);

class XmlWriter {
 public:
  XmlWriter& open(std::string_view name) { return tag("<", name); }
  XmlWriter& close(std::string_view name) { return tag("</", name); }
  XmlWriter& text(std::string_view name, std::string_view value) {
    open(name);
    append_xml_text(out_, value);
    return close(name);
  }
  XmlWriter& number(std::string_view name, std::int64_t value) {
    open(name);
    out_ += std::to_string(value);
    return close(name);
  }
  // <VMS><ID>1</ID><ID>2</ID></VMS>
  template <class Ids>
  XmlWriter& ids(std::string_view name, const Ids& all) {
    open(name);
    for (const auto id : all) number("ID", id);
    return close(name);
  }
  // XML of ours.
  XmlWriter& raw(std::string_view xml) {
    out_ += xml;
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  XmlWriter& tag(std::string_view begin, std::string_view name) {
    out_.append(begin).append(name) += '>';
    return *this;
  }
  std::string out_;
};
