// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "common/error.h"
#include "common/number.h"
#include "drivers/vmvaultd/lib/api_methods.h"
#include "drivers/vmvaultd/lib/words.h"

namespace api {
namespace {

// Filters of a pool: below 0 they name no user.
constexpr int mine = -3;

Failure bad(const std::string& text) { return {Code::api, text}; }

std::int64_t number_of(const std::string& name, const std::string& value) {
  const auto found = parse_number(value);
  if (!found) throw bad(name + " has to be a number");
  return *found;
}

// "<datastore>[,<reset>]"
void take_arguments(vmvaultd::Action& action, const std::string& value) {
  const auto comma = value.find(',');
  const auto datastore = parse_int(value.substr(0, comma), -1);
  const auto reset = comma == value.npos ? std::optional{0} : parse_int(value.substr(comma + 1), 0);
  if (!datastore || !reset) throw bad("ARGS has to be <datastore>[,<reset>]");
  action.datastore = *datastore;
  action.reset = *reset != 0;
}

void take(vmvaultd::Action& action, std::string& days, const std::string& name,
          const std::string& value) {
  const auto number = [&] { return number_of(name, value); };
  if (name == "TIME") {
    action.time = action.anchor = number();
  } else if (name == "ARGS") {
    if (!value.empty()) take_arguments(action, value);
  } else if (name == "REPEAT") {
    const auto repeat = number();
    if (repeat < -1 || repeat > 3) throw bad("there is no such REPEAT");
    action.repeat = static_cast<vmvaultd::Repeat>(repeat);
  } else if (name == "DAYS") {
    days = value;
  } else if (name == "END_TYPE") {
    const auto end = std::max<std::int64_t>(number(), 0);
    if (end > 2) throw bad("there is no such END_TYPE");
    action.end = static_cast<vmvaultd::End>(end);
  } else if (name == "END_VALUE") {
    action.end_value = number();
  } else if (name == "ACTION") {
    if (value != "backup") throw bad("only the action backup can be scheduled");
  }
}

}  // namespace

state::Page page_of(const Request& request, std::size_t at) {
  const int filter = request.call().number(at, mine);
  const int start = request.call().number(at + 1, -1), end = request.call().number(at + 2, -1);
  state::Page page;
  if (filter >= 0) page.owner = filter;
  // What is of one's groups, or of all, is to a user what is theirs.
  if (filter == mine || !request.caller().admin) page.owner = request.caller().id;
  if (filter >= 0 && filter != request.caller().id && !request.caller().admin)
    throw Failure{Code::authorization, "User [" + std::to_string(request.caller().id) +
                                           "] : Not authorized to see what is another's"};
  if (end < -1) {
    page.offset = std::max(start, 0);
    page.count = -std::max(end, -1'000'000'000);
  } else {
    if (start >= 0) page.least = start;
    if (end >= 0) page.most = end;
  }
  return page;
}

one::Template parse(const std::string& text) {
  try {
    return one::parse_template(text);
  } catch (const BadRequest& error) {
    throw bad(std::string{"Cannot parse template: "} + error.what());
  }
}

vmvaultd::Attributes flat(const one::Template& parsed) {
  vmvaultd::Attributes all;
  for (const auto& one : parsed) {
    const auto* text = std::get_if<std::string>(&one.value);
    if (!text) throw bad(one.name + " has to be one value");
    all[one.name] = *text;
  }
  return all;
}

vmvaultd::Action action_of(const std::string& text, vmvaultd::Action before) {
  const auto parsed = parse(text);
  const auto found = std::find_if(parsed.begin(), parsed.end(),
                                  [](const auto& one) { return one.name == "SCHED_ACTION"; });
  if (found == parsed.end() || !std::holds_alternative<one::Pairs>(found->value))
    throw bad("there is no SCHED_ACTION = [ ... ]");
  std::string days = vmvaultd::words::list(before.days);
  for (const auto& [name, value] : std::get<one::Pairs>(found->value))
    take(before, days, name, value);
  before.days.clear();
  if (before.repeat != vmvaultd::Repeat::none)
    before.days = vmvaultd::parse_days(before.repeat, days);
  return before;
}

vmvaultd::Action action_of(const state::ActionView& view) {
  vmvaultd::Action action{
      .id = view.id,
      .subject = vmvaultd::words::subjects.value(view.subject),
      .parent = view.parent,
      .time = view.time,
      .repeat = static_cast<vmvaultd::Repeat>(view.repeat),
      .days = {},
      .end = static_cast<vmvaultd::End>(view.end_type),
      .end_value = view.end_value,
      .anchor = view.anchor,
      .done = view.done,
      .datastore = view.datastore,
      .reset = view.reset,
      .message = view.message,
  };
  if (action.repeat != vmvaultd::Repeat::none)
    action.days = vmvaultd::parse_days(action.repeat, view.days);
  return action;
}

}  // namespace api
