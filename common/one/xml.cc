// SPDX-License-Identifier: Apache-2.0
#include "common/one/xml.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/xpathInternals.h>

#include <new>
#include <stdexcept>
#include <utility>

#include "common/error.h"
#include "common/number.h"

namespace {

constexpr std::size_t max_size = 64 << 20;
constexpr int max_nodes = 1'000'000;  // what a node costs in memory is many times its text

const xmlChar* chars(const std::string& text) {
  return reinterpret_cast<const xmlChar*>(text.c_str());
}

// xmlFree is a variable, not a function, so it cannot be a template argument.
struct XmlFree {
  void operator()(xmlChar* text) const { xmlFree(text); }
};
using Text = std::unique_ptr<xmlChar, XmlFree>;

std::string str(const Text& text) {
  return text ? std::string{reinterpret_cast<const char*>(text.get())} : std::string{};
}

template <class T>
T* allocated(T* pointer) {
  if (!pointer) throw std::bad_alloc{};
  return pointer;
}

// --- reading ---

struct Source {
  const char* name;
  int max_depth;
};
constexpr Source from_caller{"the request", 128};
constexpr Source said_by_libvirt{"what libvirt says", 1024};

// What libxml2 has found so far, and why we stopped it.
struct Reading {
  int max_depth = 0;
  int nodes = 0;
  const char* refusal = nullptr;
};

void refuse(xmlParserCtxt* parser, const char* why) {
  auto& reading = *static_cast<Reading*>(parser->_private);
  if (!reading.refusal) reading.refusal = why;
  xmlStopParser(parser);
}

void count(xmlParserCtxt* parser, int nodes) {
  auto& reading = *static_cast<Reading*>(parser->_private);
  if (nodes > max_nodes - reading.nodes) return refuse(parser, "has too many elements");
  reading.nodes += nodes;
}

void on_doctype(void* context, const xmlChar*, const xmlChar*, const xmlChar*) {
  refuse(static_cast<xmlParserCtxt*>(context), "holds a document type declaration");
}

void on_element(void* context, const xmlChar* name, const xmlChar* prefix, const xmlChar* uri,
                int namespaces_size, const xmlChar** namespaces, int attributes_size, int defaulted,
                const xmlChar** attributes) {
  auto* parser = static_cast<xmlParserCtxt*>(context);
  if (parser->nodeNr >= static_cast<const Reading*>(parser->_private)->max_depth)
    return refuse(parser, "is nested too deeply");
  count(parser, 1 + namespaces_size + attributes_size);
  if (parser->disableSAX) return;
  xmlSAX2StartElementNs(context, name, prefix, uri, namespaces_size, namespaces, attributes_size,
                        defaulted, attributes);
}

void on_cdata(void* context, const xmlChar* text, int size) {
  auto* parser = static_cast<xmlParserCtxt*>(context);
  count(parser, 1);
  if (!parser->disableSAX) xmlSAX2CDataBlock(context, text, size);
}

// XML_PARSE_HUGE, because a VM's context may hold more than the 10 MB that libxml2 would allow
// a text; the limits that it lifts are ours instead.
xmlDoc* parse(std::string_view text, const Source& source) {
  const std::string name = source.name;
  if (text.size() > max_size) throw BadRequest{name + " is larger than 64 MiB"};
  if (text.find('\0') != text.npos) throw BadRequest{name + " holds a NUL character"};
  const Owned<xmlParserCtxt, xmlFreeParserCtxt> parser{allocated(xmlNewParserCtxt())};
  Reading reading{.max_depth = source.max_depth};
  parser->_private = &reading;
  parser->sax->internalSubset = on_doctype;
  parser->sax->startElementNs = on_element;
  parser->sax->cdataBlock = on_cdata;
  parser->sax->comment = nullptr;
  parser->sax->processingInstruction = nullptr;
  Owned<xmlDoc, xmlFreeDoc> doc{xmlCtxtReadMemory(
      parser.get(), text.data(), static_cast<int>(text.size()), nullptr, nullptr,
      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_HUGE)};
  if (reading.refusal) throw BadRequest{name + " " + reading.refusal};
  if (doc && xmlDocGetRootElement(doc.get())) return doc.release();
  const auto* error = xmlCtxtGetLastError(parser.get());
  throw BadRequest{name + " is not an XML document" +
                   (error ? " (line " + std::to_string(error->line) + ")" : "")};
}

// --- XPath ---

using Found = Owned<xmlXPathObject, xmlXPathFreeObject>;

void say_nothing(void*, xmlError*) {}

Found evaluate(xmlNode* node, const std::string& xpath) {
  const Owned<xmlXPathContext, xmlXPathFreeContext> context{
      allocated(xmlXPathNewContext(node->doc))};
  context->error = say_nothing;
  context->node = node;
  Found found{xmlXPathEval(chars(xpath), context.get())};
  if (!found) throw std::logic_error{"not an XPath expression: " + xpath};
  if (found->type == XPATH_NODESET && found->nodesetval) xmlXPathNodeSetSort(found->nodesetval);
  return found;
}

// --- writing ---

void check_name(const std::string& name) {
  if (xmlValidateNCName(chars(name), 0) != 0) throw BadRequest{"not the name of an XML element"};
}

// XML has no way to write most control characters, and libxml2 would write them all the same.
void check_text(const std::string& text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\n' && c != '\r')
      throw BadRequest{"a text holds a control character, which XML cannot carry"};
  if (!xmlCheckUTF8(chars(text))) throw BadRequest{"a text is not UTF-8, which XML must be"};
}

}  // namespace

std::string XmlNode::name() const { return reinterpret_cast<const char*>(node_->name); }

std::string XmlNode::text() const { return str(Text{xmlNodeGetContent(node_)}); }

std::optional<std::string> XmlNode::attribute(const std::string& name) const {
  const Text value{xmlGetNoNsProp(node_, chars(name))};
  return value ? std::optional{str(value)} : std::nullopt;
}

std::optional<std::string> XmlNode::find(const std::string& xpath) const {
  const auto found = evaluate(node_, xpath);
  if (found->type != XPATH_NODESET) return str(Text{xmlXPathCastToString(found.get())});
  if (xmlXPathNodeSetIsEmpty(found->nodesetval)) return std::nullopt;
  return str(Text{xmlNodeGetContent(found->nodesetval->nodeTab[0])});
}

std::string XmlNode::at(const std::string& xpath) const {
  if (auto text = find(xpath)) return *std::move(text);
  throw BadRequest{"the request has no " + xpath};
}

std::optional<XmlNode> XmlNode::first(const std::string& xpath) const {
  const auto all = find_all(xpath);
  return all.empty() ? std::nullopt : std::optional{all.front()};
}

std::vector<XmlNode> XmlNode::find_all(const std::string& xpath) const {
  std::vector<XmlNode> nodes;
  const auto found = evaluate(node_, xpath);
  if (found->type != XPATH_NODESET || !found->nodesetval) return nodes;
  for (int i = 0; i < found->nodesetval->nodeNr; ++i) {
    auto* node = found->nodesetval->nodeTab[i];
    if (node->type == XML_ELEMENT_NODE) nodes.emplace_back(node);
  }
  return nodes;
}

std::optional<std::int64_t> XmlNode::find_number(const std::string& xpath) const {
  const auto text = find(xpath);
  if (!text) return std::nullopt;
  if (const auto number = parse_number(*text)) return number;
  throw BadRequest{"the " + xpath + " of the request is not a number"};
}

std::int64_t XmlNode::number_at(const std::string& xpath) const {
  if (const auto number = find_number(xpath)) return *number;
  throw BadRequest{"the request has no " + xpath};
}

std::vector<XmlNode> XmlNode::children() const {
  std::vector<XmlNode> nodes;
  for (auto* child = node_->children; child; child = child->next)
    if (child->type == XML_ELEMENT_NODE) nodes.emplace_back(child);
  return nodes;
}

std::string XmlNode::dump() const {
  // The copy declares the name spaces that the element inherits.
  const Owned<xmlNode, xmlFreeNode> copy{allocated(xmlDocCopyNode(node_, node_->doc, 1))};
  const Owned<xmlBuffer, xmlBufferFree> buffer{allocated(xmlBufferCreate())};
  if (xmlNodeDump(buffer.get(), node_->doc, copy.get(), 0, 0) == -1) throw std::bad_alloc{};
  return {reinterpret_cast<const char*>(xmlBufferContent(buffer.get())),
          static_cast<std::size_t>(xmlBufferLength(buffer.get()))};
}

XmlNode XmlNode::add(const std::string& name) {
  check_name(name);
  return XmlNode{allocated(xmlNewChild(node_, nullptr, chars(name), nullptr))};
}

XmlNode XmlNode::add(const std::string& name, std::string_view text) {
  XmlNode child = add(name);
  child.set_text(text);
  return child;
}

XmlNode XmlNode::add_copy(const XmlNode& other) {
  return XmlNode{xmlAddChild(node_, allocated(xmlDocCopyNode(other.node_, node_->doc, 1)))};
}

void XmlNode::set_text(std::string_view text) {
  const std::string value{text};
  check_text(value);
  while (auto* child = node_->children) {
    xmlUnlinkNode(child);
    xmlFreeNode(child);
  }
  if (!value.empty()) xmlAddChild(node_, allocated(xmlNewDocText(node_->doc, chars(value))));
}

void XmlNode::set_attribute(const std::string& name, std::string_view value) {
  const std::string text{value};
  check_name(name);
  check_text(text);
  allocated(xmlSetProp(node_, chars(name), chars(text)));
}

void XmlNode::remove() {
  xmlUnlinkNode(node_);
  xmlFreeNode(std::exchange(node_, nullptr));
}

Xml::Xml(std::string_view text) : doc_{parse(text, from_caller)} {}

Xml Xml::from_libvirt(std::string_view text) { return Xml{parse(text, said_by_libvirt)}; }

Xml Xml::create(const std::string& root) {
  check_name(root);
  Xml xml{allocated(xmlNewDoc(chars("1.0")))};
  xmlDocSetRootElement(xml.doc_.get(),
                       allocated(xmlNewDocNode(xml.doc_.get(), nullptr, chars(root), nullptr)));
  return xml;
}

XmlNode Xml::root() const { return XmlNode{xmlDocGetRootElement(doc_.get())}; }
