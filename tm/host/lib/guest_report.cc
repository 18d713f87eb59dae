// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/guest_report.h"

#include <nlohmann/json.hpp>

#include "common/base64.h"
#include "common/error.h"
#include "common/json.h"
#include "common/one/machine_state.h"

using nlohmann::json;

namespace host {
namespace {

Kept parse_kept(const json& in) {
  Kept out{.what = in.at("what"),
           .name = in.at("name"),
           .bytes = base64_decode(in.at("bytes").get<std::string>()),
           .why = in.at("why")};
  // It is the name of a file.
  if (out.name != machine_state::tpm_document && out.name != machine_state::nvram_document)
    throw Error{"the report of the guest has a foreign document"};
  return out;
}

}  // namespace

std::string GuestReport::to_line() const {
  json out{{"live", live},
           {"consistent", consistent},
           {"why", inconsistent_why},
           {"seconds", freeze_seconds},
           {"domain", domain_xml},
           {"documents", json::array()}};
  for (const auto& one : kept)
    out["documents"].push_back({{"what", one.what},
                                {"name", one.name},
                                {"bytes", base64_encode(one.bytes)},
                                {"why", one.why}});
  return out.dump(-1, ' ', true, json::error_handler_t::replace);
}

GuestReport GuestReport::parse(const std::string& line) {
  try {
    const json in = parse_json(line);
    GuestReport out{.live = in.at("live"),
                    .consistent = in.at("consistent"),
                    .inconsistent_why = in.at("why"),
                    .freeze_seconds = in.at("seconds"),
                    .domain_xml = in.at("domain"),
                    .kept = {}};
    for (const auto& one : in.at("documents")) out.kept.push_back(parse_kept(one));
    return out;
  } catch (const json::exception& e) {
    throw Error{"the report of the guest is damaged: " + std::string{e.what()}};
  }
}

}  // namespace host
