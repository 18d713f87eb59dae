// SPDX-License-Identifier: Apache-2.0
// The messages of an upload as text, and back.
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "datastore/rsync/lib/json_fields.h"
#include "datastore/rsync/lib/protocol.h"

using nlohmann::json;

namespace rsync {
namespace {

json document_of(const FileBegin& begin) {
  json document{{"file", begin.file}, {"from", begin.from}, {"base", nullptr}};
  if (begin.base) document["base"] = *begin.base;
  return document;
}
json document_of(const FileEnd& end) { return {{"end", end.size}, {"sha256", end.sha256}}; }
json document_of(const AskHad& ask) { return {{"had", ask.file}}; }
json document_of(const AskBase& ask) { return {{"base_for", ask.file}}; }
json document_of(const Fetch& fetch) { return {{"fetch", fetch.side}, {"of", fetch.of}}; }
json document_of(const Commit&) { return {{"commit", true}}; }
json document_of(const Discard&) { return {{"discard", true}}; }
json document_of(const Leave&) { return {{"leave", true}}; }

json had_to(const Had& had) {
  json document{{"size", had.size}, {"done", had.done}};
  if (!had.sha256.empty()) document["sha256"] = had.sha256;
  return document;
}

json document_of(const Greeting& greeting) {
  json document{{"name", greeting.name}, {"token", greeting.token}, {"files", json::object()}};
  for (const auto& [file, had] : greeting.files) document["files"][file] = had_to(had);
  return document;
}
json document_of(const FileHad& answer) { return {{"had", had_to(answer.had)}}; }
json document_of(const FileBase& answer) {
  if (!answer.base) return {{"base", nullptr}};
  const auto& base = *answer.base;
  return {{"base",
           {{"name", base.name}, {"file", base.file}, {"size", base.size}, {"side", base.side}}}};
}
json document_of(const FileResult& result) {
  json document{{"file", result.file}, {"ok", result.ok}};
  if (!result.ok) document["why"] = result.why;
  return document;
}
json document_of(const SideSize& side) { return {{"size", side.size}}; }
json document_of(const Committed& committed) { return {{"committed", committed.name}}; }
json document_of(const Discarded&) { return {{"discarded", true}}; }
json document_of(const Left&) { return {{"left", true}}; }
json document_of(const Failure& failure) { return {{"error", failure.why}}; }

template <class Message>
std::string text_of(const Message& message) {
  return to_text(std::visit([](const auto& one) { return document_of(one); }, message));
}

FileBegin begin_from(const json& document) {
  FileBegin begin{.file = file_name(document, "file"), .from = size_field(document, "from")};
  if (!field(document, "base").is_null()) begin.base = backup_name(document, "base");
  return begin;
}

Base base_from(const json& document) {
  Base base{.name = backup_name(document, "name"),
            .file = file_name(document, "file"),
            .size = size_field(document, "size")};
  for (const auto& [name, sum] : object_field(document, "side").items())
    if (is_file_name(name)) base.side[name] = sha256_field(field(document, "side"), name.c_str());
  return base;
}

Had had_from(const json& document) {
  Had had{.size = size_field(document, "size"), .done = bool_field(document, "done")};
  if (had.done || document.contains("sha256")) had.sha256 = sha256_field(document, "sha256");
  return had;
}

Greeting greeting_from(const json& document) {
  Greeting greeting{.name = backup_name(document, "name"), .token = token_field(document, "token")};
  for (const auto& [file, had] : object_field(document, "files").items())
    greeting.files[file] = had_from(had);
  return greeting;
}

FileHad file_had_from(const json& document) {
  const auto& had = object_field(document, "had");
  sha256_field(had, "sha256");
  return {had_from(had)};
}

FileBase file_base_from(const json& document) {
  const auto& base = field(document, "base");
  if (base.is_null()) return {};
  return {base_from(base)};
}

FileResult result_from(const json& document) {
  FileResult result{.file = file_name(document, "file"), .ok = bool_field(document, "ok")};
  if (!result.ok) result.why = one_line(text_field(document, "why"));
  return result;
}

json parsed(std::string_view text) {
  auto document = json::parse(text);
  if (!document.is_object()) throw Error{"it is no object"};
  return document;
}

template <class Decode>
auto decoded(const char* whose, Decode decode) try {
  return decode();
} catch (const json::exception&) {
  throw Error{std::string{whose} + " is not readable"};
} catch (const Error& error) {
  throw Error{std::string{whose} + " is not readable: " + error.what()};
}

}  // namespace

std::string encode(const ClientMessage& message) { return text_of(message); }
std::string encode(const ServerMessage& message) { return text_of(message); }

ClientMessage decode_client(std::string_view text) {
  return decoded("a message of the upload", [&]() -> ClientMessage {
    const auto document = parsed(text);
    if (document.contains("file")) return begin_from(document);
    if (document.contains("end"))
      return FileEnd{size_field(document, "end"), sha256_field(document, "sha256")};
    if (document.contains("had")) return AskHad{file_name(document, "had")};
    if (document.contains("base_for")) return AskBase{file_name(document, "base_for")};
    if (document.contains("fetch"))
      return Fetch{file_name(document, "fetch"), backup_name(document, "of")};
    if (document.contains("commit")) return Commit{};
    if (document.contains("discard")) return Discard{};
    if (document.contains("leave")) return Leave{};
    throw Error{"it says nothing that is known"};
  });
}

ServerMessage decode_server(std::string_view text) {
  return decoded("an answer of the server", [&]() -> ServerMessage {
    const auto document = parsed(text);
    if (document.contains("error")) return Failure{one_line(text_field(document, "error"))};
    if (document.contains("files")) return greeting_from(document);
    if (document.contains("file")) return result_from(document);
    if (document.contains("had")) return file_had_from(document);
    if (document.contains("base")) return file_base_from(document);
    if (document.contains("size")) return SideSize{size_field(document, "size")};
    if (document.contains("committed")) return Committed{backup_name(document, "committed")};
    if (document.contains("discarded")) return Discarded{};
    if (document.contains("left")) return Left{};
    throw Error{"it says nothing that is known"};
  });
}

}  // namespace rsync
