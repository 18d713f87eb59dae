// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/prune.h"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <optional>

#include "common/error.h"
#include "common/file.h"
#include "common/number.h"
#include "common/one/action.h"
#include "common/one/config.h"
#include "common/one/location.h"
#include "common/random.h"
#include "datastore/restic/lib/flatten_plan.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

constexpr const char* usual_window = "01:00-05:00";

// Digits, and perhaps one of the units.
bool is_amount(std::string_view text, std::string_view units) {
  if (!text.empty() && units.find(text.back()) != units.npos) text.remove_suffix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

[[noreturn]] void refuse(const std::string& attribute, const std::string& value,
                         const char* expected) {
  throw BadRequest{attribute + " is no " + expected + ": '" + one_line(value) + "'"};
}

std::string attribute_or_setting(const Datastore& datastore, const std::string& name,
                                 const char* fallback) {
  if (auto value = datastore.attribute(name)) return *std::move(value);
  return setting(name).value_or(fallback);
}

std::string notes_of(int datastore_id) {
  return "restic-prune." + std::to_string(datastore_id) + ".";
}

fs::path note_of(const Repository& repository) {
  return var_dir() / (notes_of(repository.datastore_id()) + repository.id());
}

// "7:05" or "07:05"; nullopt if it is none.
std::optional<std::chrono::minutes> time_of_day(const std::string& text) {
  const auto colon = text.find(':');
  if (colon == text.npos || colon > 2 || text.size() != colon + 3) return std::nullopt;
  const auto hours = parse_int(text.substr(0, colon), 0, 24);
  const auto minutes = parse_int(text.substr(colon + 1), 0, 59);
  if (!hours || !minutes || *hours * 60 + *minutes > 24 * 60) return std::nullopt;
  return std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
}

std::chrono::minutes local_time_of_day() {
  const auto now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return std::chrono::hours{local.tm_hour} + std::chrono::minutes{local.tm_min};
}

}  // namespace

std::vector<std::string> prune_options(const Datastore& datastore) {
  const auto unused = datastore.attribute("RESTIC_PRUNE_MAX_UNUSED", "0");
  if (unused != "unlimited" && !is_amount(unused, "kKmMgGtT%"))
    refuse("RESTIC_PRUNE_MAX_UNUSED", unused, "amount");
  std::vector<std::string> options{"--max-unused=" + unused};
  if (const auto repack = datastore.attribute("RESTIC_PRUNE_MAX_REPACK")) {
    if (!is_amount(*repack, "kKmMgGtT")) refuse("RESTIC_PRUNE_MAX_REPACK", *repack, "amount");
    options.push_back("--max-repack-size=" + *repack);
  }
  return options;
}

Window Window::parse(const std::string& text) {
  const auto dash = text.find('-');
  const auto from = time_of_day(text.substr(0, dash));
  const auto to = dash == text.npos ? std::nullopt : time_of_day(text.substr(dash + 1));
  if (!from || !to) refuse("RESTIC_PRUNE_WINDOW", text, "part of the day (22:00-06:00)");
  return {*from, *to};
}

bool Window::holds(std::chrono::minutes of_day) const {
  if (from <= to) return from <= of_day && of_day < to;
  return of_day >= from || of_day < to;
}

PrunePolicy::PrunePolicy(const Datastore& datastore) : limits_{prune_options(datastore)} {
  auto word = attribute_or_setting(datastore, "RESTIC_PRUNE", "now");
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (word == "window")
    when_ = When::window;
  else if (word == "never")
    when_ = When::never;
  else if (word != "now")
    refuse("RESTIC_PRUNE", word, "policy (now, window or never)");
  window_ = Window::parse(attribute_or_setting(datastore, "RESTIC_PRUNE_WINDOW", usual_window));
}

bool PrunePolicy::now() const { return when_ == When::now || window_is_open(); }

bool PrunePolicy::window_is_open() const {
  return when_ == When::window && window_.holds(local_time_of_day());
}

void note_prune(const Repository& repository) {
  // A word of its own, by which a prune knows whether more has come since it began.
  write_file(note_of(repository), random_hex(16) + "\n");
}

std::vector<std::string> noted_for_prune(int datastore_id) {
  const auto prefix = notes_of(datastore_id);
  std::vector<std::string> found;
  for (const auto& path : entries_of(var_dir()))
    if (const auto name = path.filename().string(); name.starts_with(prefix))
      found.push_back(name.substr(prefix.size()));
  std::sort(found.begin(), found.end());
  return found;
}

fs::path prune_lock(int datastore_id) {
  return var_dir() / ("restic-pruning." + std::to_string(datastore_id));
}

void prune(const Restic& restic, const PrunePolicy& policy) {
  const auto note = note_of(restic.repository());
  const auto before = read_file_if_any(note);
  restic.prune(policy.limits());
  std::error_code gone;
  if (before && read_file_if_any(note) == before) fs::remove(note, gone);
}

void remove_chain(const Restic& restic, const Chain& chain, const PrunePolicy& policy) {
  auto all = restic.find({});
  // More than once only where somebody gives them other ids meanwhile.
  for (auto ids = all_of_chain(all, chain); !ids.empty(); ids = all_of_chain(all, chain)) {
    for (auto& id : ids) id = short_id(id);
    note_prune(restic.repository());
    restic.forget(ids, std::nullopt);
    all = restic.find({});
    // Where the store does not let it remove them, restic only says so (up to 0.17).
    if (std::any_of(all.begin(), all.end(), [&](const auto& one) {
          return std::find(ids.begin(), ids.end(), short_id(one.id)) != ids.end();
        }))
      throw Error{"the snapshots in the " + restic.repository().display() +
                  " cannot be removed: the store keeps them"};
  }
  if (!policy.now()) return;
  try {
    // Also when all of them are gone already: a call before this one may have been killed when it
    // had forgotten them and not yet pruned.
    prune(restic, policy);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& error) {
    log(Level::warn, "the snapshots are removed, but their data stays until the next prune: " +
                         std::string{error.what()});
  }
}

}  // namespace restic
