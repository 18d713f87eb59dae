// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/unclaimed.h"

#include <cstdlib>
#include <future>
#include <sstream>

#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/location.h"
#include "common/random.h"
#include "datastore/restic/lib/prune.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

constexpr std::string_view place_word = "place=";  // and the place of the file

}  // namespace

std::string run_tag(const std::string& run) {
  if (run.size() != 16 || run.find_first_not_of("0123456789abcdef") != run.npos)
    throw BadRequest{"not the name of a run: '" + one_line(run) + "'"};
  return "vmvault-run-" + run;
}

Leftovers::Leftovers(const Repository& repository, int vm_id)
    : file_{var_dir() / ("restic-run." + std::to_string(repository.datastore_id()) + "." +
                         repository.id() + "." + std::to_string(vm_id))} {
  std::istringstream words{read_file_if_any(file_).value_or("")};
  std::string place;
  for (std::string word; words >> word;)
    if (word.starts_with(place_word))
      place = word.substr(place_word.size());
    else
      tags_.push_back(word);
  if (!is_elsewhere(file_, place)) return;
  for (const auto& tag : tags_)
    log(Level::warn, "a snapshot with the tag '" + one_line(tag) +
                         "' stays, if there is one: the note of it is a copy, or older than the "
                         "last boot, and it may be a good backup of a newer state");
  tags_.clear();
}

void Leftovers::add(const std::string& tag) {
  std::erase(tags_, tag);
  tags_.push_back(tag);
  save();
}

void Leftovers::drop(const std::string& tag) {
  std::erase(tags_, tag);
  save();
}

void Leftovers::save() const {
  std::string text;
  for (const auto& tag : tags_) text += tag + "\n";
  if (!text.empty())
    return write_file(file_, [&](const std::string& place) {
      return text + (place.empty() ? "" : std::string{place_word} + place + "\n");
    });
  std::error_code error;
  fs::remove(file_, error);
  if (error) throw system_error("remove '" + file_.string() + "'", error.value());
  sync_directory(file_.parent_path());
}

void Leftovers::discard(const Restic& restic, const std::string& tag, Care care) {
  std::vector<std::string> ids;
  for (const auto& snapshot : restic.find_tagged(tag, care)) ids.push_back(snapshot.id);
  if (!ids.empty()) {
    note_prune(restic.repository());
    restic.forget(ids, std::nullopt, care);
  }
  drop(tag);
}

void Leftovers::discard_all(const Restic& restic) {
  if (tags_.empty()) return;
  restic.clear_stale_locks(Care::cancellable);  // nobody was left to do it
  for (const auto& tag : std::vector{tags_}) try {
      discard(restic, tag, Care::cancellable);
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& error) {
      log(Level::warn,
          "a snapshot of an earlier backup that failed may be left: " + std::string{error.what()});
    }
}

Unclaimed::Unclaimed(const Restic& restic, int vm_id)
    : restic_{restic}, leftovers_{restic.repository(), vm_id} {
  leftovers_.discard_all(restic);
  const char* run = getenv("VMVAULT_RUN");
  tag_ = run_tag(run && *run ? run : random_hex(16));
  leftovers_.add(tag_);
}

Unclaimed::~Unclaimed() {
  if (claimed_) return;
  try {
    note_prune(restic_.repository());
    // Of a restic that had to be killed.  Each opens the repository, which takes its time.
    const auto unlocked =
        std::async(std::launch::async, [this] { restic_.clear_stale_locks(Care::undo); });
    const auto found = restic_.find_tagged(tag_, Care::undo);
    unlocked.wait();
    if (!found.empty()) leftovers_.discard(restic_, tag_, Care::undo);
    if (ended_) {
      leftovers_.drop(tag_);
    } else {
      leftovers_.add(tag_);
      log(Level::warn,
          "whether the upload has ended is not known: it may leave a snapshot or a lock, which the "
          "next backup of this VM removes");
    }
  } catch (const std::exception& error) {
    log(Level::warn, std::string{"a failed backup may have left a snapshot, which the next backup "
                                 "of this VM removes: "} +
                         error.what());
  }
}

void Unclaimed::claim(const std::function<void()>& tell) {
  leftovers_.drop(tag_);
  claimed_ = true;
  try {
    tell();
  } catch (...) {
    claimed_ = false;
    leftovers_.add(tag_);
    throw;
  }
}

}  // namespace restic
