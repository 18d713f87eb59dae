// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/gc.h"

#include <SQLiteCpp/Statement.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <utility>

#include "common/base64.h"
#include "common/cancel.h"
#include "common/command.h"
#include "common/ended.h"
#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "common/one/chain.h"
#include "common/one/config.h"
#include "common/one/location.h"
#include "common/one/log_line.h"
#include "drivers/lib/guarded.h"
#include "drivers/lib/messages.h"

namespace state {
namespace {

// With the command or the service, machines are locked by this.
constexpr const char* lock_file = "cli.lock";

// A host's clock and ours.
constexpr std::int64_t apart = 120;

constexpr const char* not_ours = "it is of no backup that failed here";

// In which a backup failed.
struct Span {
  std::int64_t begin = 0, end = 0;
  bool holds(std::int64_t time) const { return begin - apart <= time && time <= end + apart; }
};

struct Place {
  int vm = -1, datastore = -1;
  std::vector<Span> failed{};        // those that ended first, first
  std::set<std::string> captures{};  // of backups that failed
};

std::vector<Place> places(Store& store) {
  return guarded(store.file(), [&] {
    std::vector<Place> all;
    SQLite::Statement get{
        store.database(),
        "SELECT vm, datastore, error <> '', min(started, ended), max(started, "
        "ended), capture FROM attempts WHERE datastore IN (SELECT id FROM datastores "
        "WHERE deleted IS NULL) ORDER BY vm, datastore, 5"};
    while (get.executeStep()) {
      const int vm = get.getColumn(0), datastore = get.getColumn(1);
      if (all.empty() || all.back().vm != vm || all.back().datastore != datastore)
        all.push_back({.vm = vm, .datastore = datastore});
      if (get.getColumn(2).getInt() == 0) continue;
      all.back().failed.push_back({get.getColumn(3).getInt64(), get.getColumn(4).getInt64()});
      all.back().captures.insert(get.getColumn(5).getString());
    }
    return all;
  });
}

// "2026-09-28T12:00:00Z", as captures write it.
std::optional<std::int64_t> parse_utc(const std::string& text) {
  std::tm parts{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (!end || *end != '\0') return std::nullopt;
  return timegm(&parts);
}

Command action(const Home& home, const std::string& driver, const char* name) {
  Command command{(remotes_root() / "datastore" / driver / name).string()};
  command.env("VMVAULT_VAR", home.var().string()).env("VMVAULT_CORE_DIR", home.var().string());
  return command;
}

std::string output(const char* name, const Finished& finished) {
  if (finished.ok()) return finished.out;
  const auto why = last_plain_line(finished.err);
  throw Error{std::string{name} + ": " + (why.empty() ? ended("it", finished.status) : why)};
}

// What a store has.
struct Entry {
  std::string name;
  std::vector<std::string> merged;  // from these
};

std::vector<Entry> parse_inventory(const std::string& text) {
  std::vector<Entry> all;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    Entry one;
    if (!(words >> one.name)) continue;
    for (std::string word; words >> word;) one.merged.push_back(word);
    all.push_back(std::move(one));
  }
  return all;
}

// Records and stores may have the first digits only.
bool is_same(const std::string& one, const std::string& other) {
  return !one.empty() && !other.empty() && (one.starts_with(other) || other.starts_with(one));
}

// The image of which this is an increment.
const ImageRecord* image_with(const std::vector<ImageRecord>& images, const std::string& name) {
  const auto found = std::find_if(images.begin(), images.end(), [&](const auto& image) {
    return std::any_of(image.increments.begin(), image.increments.end(),
                       [&](const auto& one) { return is_same(name, one.source); });
  });
  return found == images.end() ? nullptr : &*found;
}

// Why a merge still needs it; empty: none does.
std::string needed(const std::vector<ImageRecord>& images, const Entry& entry) {
  for (const auto& name : entry.merged)
    if (const auto* image = image_with(images, name)) {
      const auto id = std::to_string(image->id);
      return "a merge of image " + id + " was cut off, and 'vmvault flatten " + id +
             "' goes on with it";
    }
  return "";
}

// A merge could not remove it: what it has become is in an image.
bool has_become_another(const std::vector<ImageRecord>& images, const std::vector<Entry>& stored,
                        const std::string& name) {
  return std::any_of(stored.begin(), stored.end(), [&](const auto& one) {
    return image_with(images, one.name) &&
           std::any_of(one.merged.begin(), one.merged.end(),
                       [&](const auto& old) { return is_same(old, name); });
  });
}

// One machine in one datastore.
class Look {
 public:
  Look(Store& store, const Home& home, const Place& place)
      : store_{store}, home_{home}, place_{place}, machine_{store.vm(place.vm).value()} {
    const auto known = store_.datastore(place_.datastore);
    if (!known) throw Error{"it is not there any more"};
    driver_ = known->ds_mad;
    const auto inventory = remotes_root() / "datastore" / driver_ / "inventory";
    if (access(inventory.c_str(), X_OK) != 0) throw Error{"its driver cannot list what is there"};
    home_.prepare_vm(place_.vm, machine_.uuid);
    lock_ = FileLock::try_lock(home_.vm_dir(machine_.uuid) / lock_file);
    if (!lock_) throw Error{"the machine is worked on"};
    if (!store_.unfinished(place_.vm).empty())
      throw Error{"its last backup runs, or is not settled yet"};
  }

  std::vector<Orphan> orphans() const {
    const auto images = store_.images_of(place_.vm);
    for (const auto& image : images)
      if (image.half_deleted())  // one that is LOCKED is half merged: see needed()
        throw Error{"image " + std::to_string(image.id) + " is " + to_text(image.state)};
    const auto stored = parse_inventory(on_image("inventory", {}));
    std::vector<Orphan> all, merged;
    for (const auto& one : stored) {
      if (image_with(images, one.name)) continue;
      auto kept = needed(images, one);
      if (kept.empty()) kept = foreign(one.name);
      (has_become_another(images, stored, one.name) ? merged : all)
          .push_back({place_.vm, place_.datastore, one.name, kept});
    }
    keep_what_did_not_fail(all);
    keep_below_others(all);
    all.insert(all.end(), merged.begin(), merged.end());
    return all;
  }

  void remove(Orphan& orphan) const {
    on_image("rm", {{.id = 0, .source = orphan.name}});
    orphan.removed = true;
  }

 private:
  std::string on_image(const char* name, std::vector<BackupRecord> increments) const {
    const bool lists = increments.empty();
    const ImageRecord image{.id = 0,
                            .vm = place_.vm,
                            .datastore = place_.datastore,
                            .disks = {},
                            .increments = std::move(increments)};
    const auto request =
        messages::datastore_action(messages::image(image), home_.datastore(place_.datastore));
    return output(name, action(home_, driver_, name)
                            .arg(std::to_string(lists ? place_.vm : image.id))
                            .input(base64_encode(request.dump()) + "\n")
                            .run());
  }

  // A backup says which one it is.  Of older versions, which do not: what a backup has left that
  // failed was made while it did, each of them another one.
  void keep_what_did_not_fail(std::vector<Orphan>& all) const {
    std::multimap<std::int64_t, Orphan*> ours;
    for (auto& one : all) {
      if (!one.kept.empty()) continue;
      if (const auto time = time_of(one)) ours.emplace(*time, &one);
    }
    auto left = place_.failed;
    std::string kept;
    for (const auto& [time, one] : ours) {
      const auto span = std::find_if(left.begin(), left.end(),
                                     [at = time](const Span& some) { return some.holds(at); });
      if (span != left.end())
        left.erase(span);
      else
        kept = "more is here than what the backups that failed can have left";
    }
    for (const auto& [time, one] : ours) one->kept = kept;
  }

  // What failed as this state knows was good to a newer one, if this is a copy from when it ran.
  static void keep_below_others(std::vector<Orphan>& all) {
    if (std::none_of(all.begin(), all.end(), [](const auto& one) { return one.kept == not_ours; }))
      return;
    for (auto& one : all)
      if (one.kept.empty()) one.kept = "another state has backups beside it, which may need it";
  }

  // nullopt: it stays, since nobody knows, or no backup failed then; or it goes, since it says that
  // it is of one that failed.
  std::optional<std::int64_t> time_of(Orphan& orphan) const try {
    const auto result = parse_json(document(orphan.name, "vmvault.json"));
    const auto said = result.at("time");
    if (const auto capture = result.value("capture", ""); !capture.empty()) {
      if (!place_.captures.contains(capture)) orphan.kept = not_ours;
      return std::nullopt;
    }
    const auto time = parse_utc(said.get<std::string>());
    if (!time) throw Error{"'" + one_line(said.get<std::string>()) + "' is no time"};
    if (std::any_of(place_.failed.begin(), place_.failed.end(),
                    [&](const Span& one) { return one.holds(*time); }))
      return time;
    orphan.kept = "it was made at " + said.get<std::string>() + ", when no backup failed";
    return std::nullopt;
  } catch (const Cancelled&) {
    throw;
  } catch (const std::exception& error) {
    orphan.kept = "when it was made cannot be read: " + one_line(error.what());
    return std::nullopt;
  }

  std::string document(const std::string& name, const char* file) const {
    const DiskUrl url{.protocol = driver_,
                      .datastore_id = place_.datastore,
                      .job_id = {},
                      .chain = Chain::parse("0:" + name),
                      .path = backup_dir(home_.vm_link(place_.vm), place_.vm) / "disk.0.0"};
    return output(
        "downloader",
        action(home_, driver_, "downloader").arg("--file").arg(file).arg(url.text()).run());
  }

  // Why it is another machine's; empty: it is not.
  std::string foreign(const std::string& name) const {
    try {
      const Xml domain{document(name, "domain.xml")};
      const auto uuid = domain.find("uuid").value_or("");
      return uuid == machine_.uuid ? ""
                                   : "it is of a machine with the UUID '" + one_line(uuid) + "'";
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& error) {
      return "whose it is cannot be read: " + std::string{error.what()};
    }
  }

  Store& store_;
  const Home& home_;
  const Place& place_;
  VmRecord machine_;
  std::string driver_;
  std::optional<FileLock> lock_;
};

void collect_all(const Look& look, std::vector<Orphan>& orphans,
                 std::vector<std::string>& problems) {
  for (auto& orphan : orphans) try {
      if (orphan.kept.empty()) look.remove(orphan);
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& error) {
      problems.push_back("'" + one_line(orphan.name) + "' of VM " + std::to_string(orphan.vm) +
                         " in datastore " + std::to_string(orphan.datastore) + ": " + error.what());
    }
}

}  // namespace

Sweep sweep(Store& store, const Home& home, bool collect) {
  Sweep result;
  for (const auto& place : places(store)) try {
      cancel::check();
      const Look look{store, home, place};
      auto orphans = look.orphans();
      if (collect) collect_all(look, orphans, result.problems);
      result.orphans.insert(result.orphans.end(), orphans.begin(), orphans.end());
    } catch (const Cancelled&) {
      throw;
    } catch (const Error& error) {
      result.problems.push_back("VM " + std::to_string(place.vm) + " in datastore " +
                                std::to_string(place.datastore) + ": " + error.what());
    }
  return result;
}

}  // namespace state
