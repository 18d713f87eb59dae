// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/show_object.h"

#include <algorithm>

#include "drivers/cli/lib/display.h"

namespace cli {
namespace {

constexpr std::size_t name_width = 22;

bool is_list_of_ids(const Element& element) {
  const auto all = element.children();
  return !all.empty() &&
         std::all_of(all.begin(), all.end(), [](auto& one) { return one.name() == "ID"; });
}

// "3", with a time of day where it is one.
std::string value_text(const Element& leaf) {
  const auto text = leaf.text();
  const auto name = leaf.name();
  const bool is_time = name == "DATE" || name == "DONE" || name == "LAST_BACKUP_TIME" ||
                       (name.ends_with("TIME") && name != "ESTIME" && name != "EETIME");
  if (!is_time || text.size() < 9 || text.find_first_not_of("0123456789") != text.npos) return text;
  return text + " (" + local_time(std::stoll(text.substr(0, 12))) + ")";
}

void add_line(std::string& out, const std::string& indent, std::string_view name,
              const std::string& value) {
  std::string line = indent + printable(name);
  if (line.size() < name_width) line.resize(name_width, ' ');
  out += line + ": " + printable(value) + "\n";
}

// Several of the same kind, of leaves only, are a table.
void add_table(std::string& out, const std::vector<Element>& all) {
  std::vector<std::vector<std::string>> rows(1);
  for (const auto& field : all.front().children()) rows[0].emplace_back(field.name());
  for (const auto& one : all) {
    auto& row = rows.emplace_back();
    for (const auto& name : rows[0]) row.push_back(value_text(one.child(name)));
  }
  out += table(rows);
}

bool is_table(const Element& element) {
  const auto all = element.children();
  if (all.empty() || all.front().is_leaf()) return false;
  return std::all_of(all.begin(), all.end(), [&](const auto& one) {
    const auto fields = one.children();
    return one.name() == all.front().name() &&
           std::all_of(fields.begin(), fields.end(), [](auto& field) { return field.is_leaf(); });
  });
}

void add(std::string& out, const Element& element, const std::string& indent) {
  for (const auto& child : element.children()) {
    if (is_list_of_ids(child)) {
      std::string ids;
      for (const auto& one : child.children()) ids += (ids.empty() ? "" : ", ") + one.text();
      add_line(out, indent, child.name(), ids);
    } else if (!child.is_leaf()) {
      out += "\n" + indent + std::string{child.name()} + "\n";
      if (is_table(child))
        add_table(out, child.children());
      else
        add(out, child, indent + "  ");
    } else if (!child.text().empty()) {
      add_line(out, indent, child.name(), value_text(child));
    }
  }
}

}  // namespace

std::string object_text(const Element& object) {
  std::string out;
  add(out, object, "");
  return out;
}

}  // namespace cli
