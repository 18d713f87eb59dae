// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/notes.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "common/cancel.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/location.h"
#include "common/random.h"
#include "datastore/rsync/lib/protocol.h"

namespace rsync {
namespace {

constexpr std::size_t run_digits = 16;
constexpr std::size_t name_digits = 6;
constexpr const char *open_word = "open", *claimed_word = "claimed", *no_run = "-";
constexpr const char* place_word = "place";  // in the place of a name: what follows is the file's

bool is_run(const std::string& text) {
  return text.size() == run_digits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// A run that is none is nobody's: its backup is found by no discard.
std::string run_of_environment() {
  const char* run = std::getenv("VMVAULT_RUN");
  return run && is_run(run) ? run : "";
}

std::string new_name(const Store::Listing& taken) {
  for (;;) {
    auto name = random_hex(name_digits);
    if (!taken.contains(name)) return name;
  }
}

}  // namespace

void check_run(const std::string& run) {
  if (!is_run(run)) throw BadRequest{"the argument RUN is not 16 hexadecimal digits"};
}

Notes::Notes(int datastore, int vm)
    : file_{var_dir() / ("rsync-run." + std::to_string(datastore) + "." + std::to_string(vm))} {
  std::istringstream lines{read_file_if_any(file_).value_or("")};
  std::string place;
  for (std::string name, run, state; lines >> name >> run >> state;)
    if (name == place_word)
      place = run;
    else if (is_backup_name(name))
      notes_.push_back(
          {.name = name, .run = is_run(run) ? run : "", .claimed = state == claimed_word});
  if (!is_elsewhere(file_, place)) return;
  for (const auto& name : unclaimed())
    log(Level::warn, "'" + name +
                         "' stays, if it is there: the note of it is a copy, or older than the "
                         "last boot, and it may be a good backup of a newer state");
  notes_.clear();
}

void Notes::save() const {
  std::string text;
  for (const auto& note : notes_)
    text += note.name + " " + (note.run.empty() ? no_run : note.run) + " " +
            (note.claimed ? claimed_word : open_word) + "\n";
  // Nothing is said of nothing.
  write_file(file_, [&](const std::string& place) {
    return text.empty() || place.empty() ? text
                                         : text + place_word + " " + place + " " + no_run + "\n";
  });
}

void Notes::add(const std::string& name, const std::string& run) {
  notes_.push_back({.name = name, .run = run, .claimed = false});
  save();
}

void Notes::claim(const std::string& name) {
  for (auto& note : notes_)
    if (note.name == name) note.claimed = true;
  std::erase_if(notes_, [&](const Note& note) { return note.name == name && note.run.empty(); });
  save();
}

void Notes::drop(const std::string& name) {
  if (std::erase_if(notes_, [&](const Note& note) { return note.name == name; }) > 0) save();
}

void Notes::drop_claimed() {
  if (std::erase_if(notes_, [](const Note& note) { return note.claimed; }) > 0) save();
}

std::vector<std::string> Notes::disown(const std::string& run) {
  std::vector<std::string> names;
  for (auto& note : notes_) {
    if (note.run != run) continue;
    note.claimed = false;
    names.push_back(note.name);
  }
  if (!names.empty()) save();
  return names;
}

std::vector<std::string> Notes::unclaimed() const {
  std::vector<std::string> names;
  for (const auto& note : notes_)
    if (!note.claimed) names.push_back(note.name);
  return names;
}

// Only what has a name is removed: what an interrupted upload has brought so far is kept for the
// next one.
void remove_unclaimed(Notes& notes, Store& store, int vm) {
  const auto names = notes.unclaimed();
  if (names.empty()) return;
  try {
    if (!store.list(vm, names).empty()) store.remove(vm, names);
    for (const auto& name : names) notes.drop(name);
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& error) {
    log(Level::warn, "what an earlier backup left in " + store.settings().place(vm) +
                         " cannot be removed now: " + error.what());
  }
}

Unclaimed::Unclaimed(Notes& notes, Store& store, int vm, const Store::Listing& taken)
    : notes_{notes}, store_{store}, vm_{vm}, name_{new_name(taken)} {
  notes_.add(name_, run_of_environment());
}

Unclaimed::~Unclaimed() {
  if (claimed_) return;
  try {
    // A cancelled backup is not taken up again.
    if (cancel::requested() || !store_.list(vm_, {name_}, Care::undo).empty())
      store_.remove(vm_, {name_}, Care::undo);
    notes_.drop(name_);
  } catch (const std::exception& error) {
    log(Level::warn, "'" + name_ + "' may be left in " + store_.settings().place(vm_) +
                         ", and is removed by the next backup: " + error.what());
  }
}

void Unclaimed::claim(const std::function<void()>& tell) {
  notes_.claim(name_);
  claimed_ = true;
  try {
    tell();
  } catch (...) {
    claimed_ = false;
    notes_.drop(name_);
    notes_.add(name_, run_of_environment());
    throw;
  }
}

}  // namespace rsync
