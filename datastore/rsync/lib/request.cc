// SPDX-License-Identifier: Apache-2.0
// Requests to the server as text, and back.
#include <nlohmann/json.hpp>

#include "common/base64.h"
#include "common/error.h"
#include "datastore/rsync/lib/json_fields.h"
#include "datastore/rsync/lib/protocol.h"

using nlohmann::json;

namespace rsync {
namespace {

constexpr int sane_mode = 07777;

json to_document(const Upload& upload) {
  json files = json::array();
  for (const auto& file : upload.files)
    files.push_back({{"name", file.name},
                     {"size", file.size},
                     {"mtime_ns", file.mtime_ns},
                     {"mode", file.mode}});
  return {{"name", upload.name},
          {"key", upload.key},
          {"files", files},
          {"archive", upload.archive},
          {"sparse", upload.sparse}};
}

UploadFile file_from(const json& document) {
  UploadFile file{.name = file_name(document, "name"), .size = size_field(document, "size")};
  file.mtime_ns = number_field(document, "mtime_ns", INT64_MIN, INT64_MAX);
  file.mode = static_cast<unsigned>(number_field(document, "mode", 0, sane_mode));
  return file;
}

Upload upload_from(const json& document) {
  Upload upload{.name = backup_name(document, "name"), .key = sha256_field(document, "key")};
  std::set<std::string> seen;
  for (const auto& file : array_field(document, "files")) {
    upload.files.push_back(file_from(file));
    if (!seen.insert(upload.files.back().name).second)
      throw Error{"the file '" + upload.files.back().name + "' is there twice"};
  }
  upload.archive = bool_field(document, "archive");
  upload.sparse = bool_field(document, "sparse");
  return upload;
}

bool about_a_vm(const std::string& doing) { return doing != "about" && doing != "space"; }

bool about_a_chain(const std::string& doing) {
  return doing == "merge" || doing == "flatten" || doing == "verify";
}

bool is_upload(const std::string& doing) { return doing == "receive" || doing == "join"; }

// Also what the paths of the server are made of: a relative one would depend on where it starts.
std::string base_path(const json& document) {
  auto base = text_field(document, "base");
  const bool good = base.starts_with('/') && base.size() > 1 && base.size() < 4000 &&
                    base.find('\0') == base.npos && base.find('\n') == base.npos;
  if (!good) throw Error{"'base' is no absolute path"};
  return base;
}

std::vector<std::string> names_from(const json& document) {
  std::vector<std::string> names;
  for (const auto& name : array_field(document, "names")) {
    if (!name.is_string() || !is_backup_name(name.get<std::string>()))
      throw Error{"'names' holds what is no name of a backup"};
    names.push_back(name.get<std::string>());
  }
  return names;
}

void read_rest(const json& document, Request& request) {
  const auto& doing = request.doing;
  if (doing == "list" || doing == "remove") request.names = names_from(document);
  if (doing == "read") {
    request.name = backup_name(document, "name");
    request.file = file_name(document, "file");
    if (document.contains("offset")) request.offset = size_field(document, "offset");
    if (document.contains("length")) request.length = size_field(document, "length");
  }
  if (about_a_chain(doing)) {
    request.chain = Chain::parse(text_field(document, "chain"));
    for (const auto& one : request.chain.increments())
      if (!is_backup_name(one.source)) throw Error{"'chain' holds what is no name of a backup"};
  }
  if (doing == "merge") request.disk = static_cast<int>(number_field(document, "disk", 0, INT_MAX));
  if (doing == "flatten")
    request.keep = static_cast<int>(number_field(document, "keep", 1, INT_MAX));
  if (doing == "verify") {
    request.depth = text_field(document, "depth");
    if (request.depth != "structure" && request.depth != "data")
      throw Error{"'depth' is neither structure nor data"};
  }
  if (doing == "verify" || doing == "flatten") {
    const auto known = document.find("known");
    if (known != document.end())
      for (const auto& [name, text] : known->items())
        request.known.emplace(name, base64_decode(text.get<std::string>()));
  }
  if (is_upload(doing)) request.upload = upload_from(field(document, "upload"));
  if (doing == "join") request.token = token_field(document, "token");
}

}  // namespace

std::string encode(const Request& request) {
  json document{{"do", request.doing}, {"protocol", protocol_version}};
  if (!request.base.empty()) document["base"] = request.base;
  if (request.vm >= 0) document["vm"] = request.vm;
  if (request.doing == "list" || request.doing == "remove") document["names"] = request.names;
  if (!request.name.empty()) document["name"] = request.name;
  if (!request.file.empty()) document["file"] = request.file;
  if (request.offset != 0) document["offset"] = request.offset;
  if (request.length) document["length"] = *request.length;
  if (about_a_chain(request.doing)) document["chain"] = request.chain.text();
  if (request.disk >= 0) document["disk"] = request.disk;
  if (request.keep > 0) document["keep"] = request.keep;
  if (!request.depth.empty()) document["depth"] = request.depth;
  for (const auto& [name, text] : request.known) document["known"][name] = base64_encode(text);
  if (is_upload(request.doing)) document["upload"] = to_document(request.upload);
  if (!request.token.empty()) document["token"] = request.token;
  return base64_encode(to_text(document)) + "\n";
}

Request decode_request(std::string_view line) try {
  const auto document = json::parse(base64_decode(line));
  if (!document.is_object()) throw Error{"it is no object"};
  if (number_field(document, "protocol", 0, INT_MAX) != protocol_version)
    throw Error{"it is of another version"};
  Request request;
  request.doing = text_field(document, "do");
  if (request.doing != "about") request.base = base_path(document);
  if (request.doing != "about" && about_a_vm(request.doing))
    request.vm = static_cast<int>(number_field(document, "vm", 0, INT_MAX));
  read_rest(document, request);
  return request;
} catch (const json::exception&) {
  throw BadRequest{"the request is not readable"};
} catch (const Error& error) {
  throw BadRequest{std::string{"the request is not readable: "} + error.what()};
}

}  // namespace rsync
