// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/listing.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "common/error.h"
#include "common/number.h"
#include "drivers/cli/lib/display.h"

namespace cli {
namespace {

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

const Column& find(const std::vector<Column>& columns, const std::string& name) {
  std::string all;
  for (const auto& one : columns) {
    if (upper(name) == one.name) return one;
    all += (all.empty() ? "" : ", ") + std::string{one.name};
  }
  throw BadRequest{"there is no column '" + one_line(name) + "'; there are " + all};
}

struct Filter {
  const Column* column;
  std::string sign, value;

  bool holds(const Element& object) const {
    const auto have = column->value(object);
    const auto left = parse_number(have), right = parse_number(value);
    const int order = left && right ? (*left > *right) - (*left < *right) : have.compare(value);
    if (sign == "=") return order == 0;
    if (sign == "!=") return order != 0;
    if (sign == "<") return order < 0;
    if (sign == "<=") return order <= 0;
    if (sign == ">") return order > 0;
    return order >= 0;
  }
};

Filter parse_filter(const std::vector<Column>& columns, const std::string& text) {
  const auto at = text.find_first_of("!<>=");
  if (at != text.npos)
    for (const std::string sign : {"!=", "<=", ">=", "=", "<", ">"})
      if (text.compare(at, sign.size(), sign) == 0)
        return {.column = &find(columns, text.substr(0, at)),
                .sign = sign,
                .value = text.substr(at + sign.size())};
  throw BadRequest{"'" + one_line(text) + "' is no filter such as NAME=web or SIZE>100"};
}

bool wanted(const Element& object, const std::vector<Filter>& filters, bool any) {
  if (filters.empty()) return true;
  const auto holds = [&](const auto& one) { return one.holds(object); };
  return any ? std::any_of(filters.begin(), filters.end(), holds)
             : std::all_of(filters.begin(), filters.end(), holds);
}

}  // namespace

Rows rows_of(const std::vector<Element>& objects, const std::vector<Column>& columns,
             const ListOptions& options) {
  std::vector<const Column*> shown;
  for (const auto& name : options.columns) shown.push_back(&find(columns, name));
  if (shown.empty())
    for (const auto& one : columns)
      if (one.usual) shown.push_back(&one);
  std::vector<Filter> filters;
  for (const auto& one : options.filters) filters.push_back(parse_filter(columns, one));
  Rows rows(1);
  for (const auto* column : shown) rows[0].emplace_back(column->name);
  for (const auto& object : objects) {
    if (!wanted(object, filters, options.any)) continue;
    auto& row = rows.emplace_back();
    for (const auto* column : shown) row.push_back(column->value(object));
  }
  return rows;
}

std::string csv_text(const Rows& rows, const std::string& delimiter) {
  std::string out;
  for (const auto& row : rows) {
    const char* before = "";
    for (const auto& cell : row) {
      out += before;
      before = delimiter.c_str();
      if (cell.find_first_of("\"\r\n") == cell.npos && cell.find(delimiter) == cell.npos) {
        out += cell;
        continue;
      }
      out += '"';
      for (const char c : cell) out += c == '"' ? std::string{"\"\""} : std::string{c};
      out += '"';
    }
    out += "\n";
  }
  return out;
}

std::string listing(Rows rows, const ListOptions& options) {
  if (!options.header) rows.erase(rows.begin());
  return options.csv ? csv_text(rows, options.delimiter) : table(rows);
}

}  // namespace cli
