// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/request_options.h"

#include "common/error.h"
#include "common/number.h"
#include "common/one/location.h"

int increment_option(const Request& request) {
  const auto& option = request["OPTION"];
  if (option.empty()) return -1;
  constexpr std::string_view joined = "--increment=";
  const bool split = option == "-i" || option == "--increment";
  if (!split && !option.starts_with(joined))
    throw BadRequest{"expected -i INCREMENT_ID, not '" + one_line(option) + "'"};
  const auto id = parse_int(split ? request["INCREMENT_ID"] : option.substr(joined.size()), -1);
  if (!id) throw BadRequest{"the argument INCREMENT_ID is not a number"};
  return *id;
}

std::filesystem::path sums_directory(const Request& request) {
  const auto text = request.xml().root().find("EXTRA_DATA/SUMS").value_or("");
  return text.empty() ? "" : normal_path(text);
}

int keep_last(const Request& request) {
  const auto text = request.xml().root().find("EXTRA_DATA/KEEP_LAST").value_or("");
  if (const auto keep = parse_int(text, 1)) return *keep;
  throw BadRequest{"EXTRA_DATA/KEEP_LAST of the request is not a number of increments: '" +
                   one_line(text) + "'"};
}
