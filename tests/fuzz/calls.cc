// SPDX-License-Identifier: Apache-2.0
// What clients of the service's API send, before anybody knows who they are.

#include "common/error.h"
#include "common/one/xml.h"
#include "drivers/vmvaultd/lib/api_call.h"
#include "tests/fuzz/fuzz.h"

namespace {

void call(std::string_view input) {
  const auto call = api::parse_call(input);
  fuzz::insist(input.size() <= api::longest_body, "a body has a limit");
  for (std::size_t at = 0; at <= call.arguments.size(); ++at) {
    fuzz::attempt([&] { call.text(at); });
    fuzz::attempt([&] { call.number(at); });
    fuzz::attempt([&] { call.flag(at, false); });
    fuzz::attempt([&] { call.numbers(at, {}); });
  }
  for (const auto& one : call.arguments) {
    if (!std::holds_alternative<std::string>(one)) continue;
    fuzz::insist(Xml{api::success(one)}.at("//value//string") == std::get<std::string>(one),
                 "a text is answered as it came");
    Xml{api::failure({api::Code::internal, std::get<std::string>(one)})};
    Xml{api::fault(api::fault_parse, std::get<std::string>(one))};
  }
}
const fuzz::Register r1{"api-call", call};

}  // namespace
