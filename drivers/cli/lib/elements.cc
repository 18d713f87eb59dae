// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/elements.h"

#include "common/number.h"

namespace cli {
namespace {

std::string_view view(const xmlChar* text) {
  return text ? std::string_view{reinterpret_cast<const char*>(text)} : std::string_view{};
}

const xmlNode* next_element(const xmlNode* node) {
  while (node && node->type != XML_ELEMENT_NODE) node = node->next;
  return node;
}

Json content(const Element& element, bool of_pool) {
  if (element.is_leaf()) {
    auto text = element.text();
    return text.empty() ? Json::object() : Json(std::move(text));
  }
  auto out = Json::object();
  for (const auto& child : element.children()) {
    auto value = content(child, false);
    const std::string name{child.name()};
    if (const auto found = out.find(name); found == out.end())
      out[name] = of_pool ? Json::array({std::move(value)}) : std::move(value);
    else if (found->is_array())
      found->push_back(std::move(value));
    else
      *found = Json::array({std::move(*found), std::move(value)});
  }
  return out;
}

}  // namespace

std::string_view Element::name() const { return node_ ? view(node_->name) : std::string_view{}; }

Element Element::child(std::string_view name) const {
  if (!node_) return Element{};
  for (auto* at = next_element(node_->children); at; at = next_element(at->next))
    if (view(at->name) == name) return Element{at};
  return Element{};
}

std::vector<Element> Element::children() const {
  std::vector<Element> all;
  if (node_)
    for (auto* at = next_element(node_->children); at; at = next_element(at->next))
      all.emplace_back(at);
  return all;
}

std::vector<Element> Element::children(std::string_view name) const {
  auto all = children();
  std::erase_if(all, [&](const auto& one) { return one.name() != name; });
  return all;
}

bool Element::is_leaf() const { return !node_ || !next_element(node_->children); }

std::string Element::text() const {
  std::string out;
  if (!node_) return out;
  for (const auto* at = node_->children; at; at = at->next)
    if (at->type == XML_TEXT_NODE || at->type == XML_CDATA_SECTION_NODE) out += view(at->content);
  return out;
}

std::int64_t Element::number(std::string_view name, std::int64_t otherwise) const {
  return parse_number(text(name)).value_or(otherwise);
}

Json to_json(const Element& root) {
  auto out = Json::object();
  const bool of_pool = root.name().ends_with("_POOL") || root.name() == "QUEUE";
  out[std::string{root.name()}] = content(root, of_pool);
  return out;
}

}  // namespace cli
