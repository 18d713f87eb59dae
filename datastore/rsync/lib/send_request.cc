// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_request.h"

#include <nlohmann/json.hpp>

#include "common/base64.h"
#include "common/error.h"
#include "datastore/rsync/lib/partial_name.h"
#include "datastore/rsync/lib/protocol.h"

using nlohmann::json;

namespace rsync {

SendRequest SendRequest::decode(std::string_view line) try {
  const auto document = json::parse(base64_decode(line));
  SendRequest request;
  request.directory = document.at("directory").get<std::string>();
  for (const auto& file : document.at("files"))
    request.files.push_back({file.at("name"), file.at("size")});
  request.target.host = document.at("host");
  request.target.user = document.value("user", "");
  request.base = document.at("base");
  request.vm = document.at("vm");
  request.name = document.at("name");
  request.owner = document.value("owner", "");
  request.args = document.value("args", "");
  request.transport = document.value("transport", request.transport);
  request.channels = document.value("channels", request.channels);
  request.server = document.at("server").at("argv").get<std::vector<std::string>>();
  if (request.channels < 1 || request.channels > most_channels ||
      !request.directory.is_absolute() || request.files.empty() || !is_backup_name(request.name) ||
      (!request.owner.empty() && !is_owner(request.owner)))
    throw BadRequest{"the request to send is not complete"};
  for (const auto& file : request.files)
    if (!is_file_name(file.name)) throw BadRequest{"the request to send names no file"};
  return request;
} catch (const json::exception&) {
  throw BadRequest{"the request to send is not readable"};
}

std::string SendRequest::encode() const {
  json list = json::array();
  for (const auto& file : files) list.push_back({{"name", file.name}, {"size", file.size}});
  const json document{{"directory", directory.string()},
                      {"files", list},
                      {"host", target.host},
                      {"user", target.user},
                      {"base", base},
                      {"vm", vm},
                      {"name", name},
                      {"owner", owner},
                      {"args", args},
                      {"transport", transport},
                      {"channels", channels},
                      {"server", {{"argv", server}}}};
  return base64_encode(document.dump(-1, ' ', false, json::error_handler_t::replace)) + "\n";
}

}  // namespace rsync
