// SPDX-License-Identifier: Apache-2.0
// Pools as tables, for people and as CSV, with columns and filters as OpenNebula's tools have them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "drivers/cli/lib/elements.h"

namespace cli {

struct Column {
  const char* name;
  const char* about;
  std::function<std::string(const Element&)> value;
  bool usual = true;  // shown where nobody says which
};

struct ListOptions {
  std::vector<std::string> columns{};  // -l; empty: the usual ones
  std::vector<std::string> filters{};  // -f: NAME=web, SIZE>100...
  bool any = false;                    // --operator OR: one filter that holds is enough
  bool csv = false, json = false, xml = false, describe = false;
  bool header = true;
  std::string delimiter = ",";
};

// One value per column, those of the heading first.  BadRequest, naming it, for a column or filter
// that is none.
using Rows = std::vector<std::vector<std::string>>;
Rows rows_of(const std::vector<Element>& objects, const std::vector<Column>& columns,
             const ListOptions& options);

// RFC 4180: what holds the delimiter, quotes or a line's end is in quotes.
std::string csv_text(const Rows& rows, const std::string& delimiter);

// `rows`, as the options want to see them.
std::string listing(Rows rows, const ListOptions& options);

}  // namespace cli
