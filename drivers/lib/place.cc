// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/place.h"

#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/VariadicBind.h>
#include <unistd.h>

#include <climits>
#include <optional>

#include "common/error.h"
#include "common/file.h"
#include "drivers/lib/guarded.h"
#include "drivers/lib/whole.h"

namespace fs = std::filesystem;

namespace state {
namespace {

struct Place {
  std::string machine;  // which no other one has
  std::string host;     // its name, for people: it may change
  fs::path var;
};

// The name only where there is nothing better: it may change with the network.
Place place_here(const Home& home) {
  char name[HOST_NAME_MAX + 1] = {};
  gethostname(name, sizeof name - 1);
  auto machine = read_file_if_any("/etc/machine-id").value_or("");
  machine.erase(machine.find_last_not_of(" \n") + 1);
  return {
      .machine = machine.empty() ? name : machine, .host = name, .var = fs::canonical(home.var())};
}

std::optional<Place> noted_in(Store& store) {
  return guarded(store.file(), [&]() -> std::optional<Place> {
    SQLite::Statement get{store.database(), "SELECT machine, host, var FROM home"};
    if (!get.executeStep()) return std::nullopt;
    return Place{.machine = get.getColumn(0).getString(),
                 .host = get.getColumn(1).getString(),
                 .var = get.getColumn(2).getString()};
  });
}

void note(Store& store, const Place& place) {
  guarded(store.file(), [&] {
    SQLite::Statement put{store.database(),
                          "INSERT INTO home (id, machine, host, var) VALUES (1, ?, ?, ?) ON "
                          "CONFLICT DO UPDATE SET machine = excluded.machine, host = "
                          "excluded.host, var = excluded.var"};
    SQLite::bind(put, place.machine, place.host, place.var.string());
    put.exec();
  });
}

// Also by another name of the same directory.
bool is_at(const Place& noted, const Place& here) {
  std::error_code none;
  return noted.machine == here.machine &&
         (noted.var == here.var || fs::equivalent(noted.var, here.var, none));
}

std::string quoted(const fs::path& path) { return "'" + one_line(path.string()) + "'"; }

std::string why_not_at(const Home& home, const Place& noted, const Place& here) {
  if (is_at(noted, here)) return home.why_of_another();
  std::error_code none;
  const bool same = noted.machine == here.machine;
  const auto there = quoted(noted.var) + (same ? "" : " of '" + one_line(noted.host) + "'");
  if (same && fs::exists(noted.var / home.database().filename(), none))
    return "the state directory " + quoted(home.var()) + " is a copy of " + there +
           ", whose backups would be changed: if they are to be this one's, move the other one "
           "away, and 'vmvault adopt'";
  return "the state directory " + quoted(home.var()) + " was " + there +
         ", or is a copy of that: if nothing works with that any more, 'vmvault adopt' makes this "
         "the one that changes its backups";
}

}  // namespace

std::string why_not_in_place(Store& store, const Home& home) {
  const auto here = place_here(home);
  return why_not_at(home, noted_in(store).value_or(here), here);
}

void insist_on_place(Store& store, const Home& home) {
  const auto here = place_here(home);
  const auto noted = noted_in(store);
  if (const auto why = why_not_at(home, noted.value_or(here), here); !why.empty()) throw Error{why};
  if (!noted) note(store, here);
}

void adopt(Store& store, const Home& home) {
  const auto here = place_here(home);
  const auto noted = noted_in(store);
  const bool beside = noted && noted->machine == here.machine && !is_at(*noted, here) &&
                      fs::exists(noted->var / home.database().filename());
  if (beside) throw Error{why_not_at(home, *noted, here)};
  home.take_repositories();
  if (const auto why = home.why_of_another(); !why.empty()) throw Error{why};
  note(store, here);
}

}  // namespace state
