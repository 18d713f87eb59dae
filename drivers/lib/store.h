// SPDX-License-Identifier: Apache-2.0
// The state of an image manager: which machines, disks, datastores and backup images there are.
//
// One SQLite file.  Every change is durable when its function returns, and either whole or not
// there.  Several processes may use the file at a time.  All functions throw an Error that
// names the file when it cannot be read or written.
#pragma once

#include <SQLiteCpp/Database.h>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "drivers/lib/records.h"

namespace state {

class Store {
 public:
  // Opens the file, or makes it (mode 0600), and brings it to the present schema.
  explicit Store(const std::filesystem::path& file);
  // An empty one, in memory: what there is where there is no file, for those who only ask.
  static Store nothing();

  // All that `work` changes is one change, also by the functions of this store; an exception undoes
  // all of it.  Not for long: others wait meanwhile.
  void together(const std::function<void()>& work);
  // For the tables of others, which belong to the same changes.
  const std::filesystem::path& file() const { return file_; }
  SQLite::Database& database() { return db_; }

  // The machine with this UUID, new if need be.  Ids begin at 1,000,000 and are never reused; a
  // changed name is noted.
  VmRecord vm_for(const std::string& uuid, const std::string& name);
  std::optional<VmRecord> vm(int id) const;
  std::vector<VmRecord> vms() const;

  // The id of a disk of this machine: bound to (target, source), and never another disk's.
  int disk_id(int vm, const std::string& target, const std::string& source);

  void put_datastore(const DatastoreRecord& datastore);
  std::optional<DatastoreRecord> datastore(int id) const;
  std::vector<DatastoreRecord> datastores() const;

  void put_space(int datastore, const Space& space);  // of now
  // Why its driver says that it cannot be used; empty: it can.
  void put_trouble(int datastore, const std::string& why);
  Space space(int datastore) const;

  // What people have set, by name, of a machine (vm_config.h) or a datastore.  An empty value: it
  // is not set any more.
  enum class Subject { vm, datastore };
  using Settings = std::map<std::string, std::string, std::less<>>;
  Settings settings(Subject subject, int id) const;
  std::map<int, Settings> all_settings(Subject subject) const;  // by id
  // The job that the machine is in, and its template; nullopt and nothing for none.
  std::optional<int> job_of(int vm) const;
  std::string job_template_of(int vm) const;
  void put_settings(Subject subject, int id, const Settings& settings);

  std::optional<ImageRecord> image(int id) const;
  std::vector<ImageRecord> images() const;  // by id
  std::vector<ImageRecord> images_of(int vm) const;

  // When the newest backup of each of these machines began: the one that was made last, whatever
  // the dates of the others.  What bears a later date than `now` was made by a wrong clock: how old
  // it is nobody knows, so it does not count.  Nor does what was found damaged, or builds on that.
  std::map<int, std::int64_t> newest_backups(const std::vector<int>& vms, std::int64_t now) const;

  // What the machine's newest backup is called in its datastore; empty: it has none.
  std::string newest_source(int vm) const;
  // One of its backups that has to be in this datastore; nullopt: none has.
  std::optional<std::string> stored_in(int vm, int datastore) const;

  // A backup begins: returns the id of the attempt.  An Error when its datastore is gone.
  std::int64_t begin(const Attempt& attempt);
  // It is stored: returns the image that holds it, a new one if the attempt began one.  An
  // image of Mode::increment becomes the machine's active one.  An Error for a source that is
  // recorded already: deleting one of the two would destroy the other.  `ended`: when, if not now.
  int succeed(std::int64_t attempt, const BackupRecord& backup,
              const std::vector<SumsRecord>& sums = {}, std::optional<std::int64_t> ended = {});
  // With an error that says broken_chain the next one begins a new chain.
  void fail(std::int64_t attempt, const std::string& error);
  // A backup that did not even become an attempt: it is one now, that has failed.  Nothing happens
  // when its datastore is gone.
  void refuse(const Attempt& attempt, const std::string& error);
  // Somebody wants it no more; it goes on until it ends.
  void cancel(std::int64_t attempt);
  // Is this the store's name for one of the machine's increments?
  bool recorded(int vm, const std::string& source) const;
  std::vector<Attempt> unfinished() const;            // oldest first
  std::vector<Attempt> unfinished(int vm) const;      // of one machine
  std::optional<Attempt> last_attempt(int vm) const;  // of those that ended

  std::vector<SumsRecord> sums(int image, int increment) const;
  // The image that holds the increment which the URL names last.  nullopt: none does, or, where the
  // URL does not say the VM, more than one: stores give the increments of two machines one name.
  std::optional<ImageRecord> image_with(const DiskUrl& url) const;
  // A check of an increment has ended: it is proven, or (nullopt) what was known of that stays; and
  // what is wrong with it, or nothing.
  void note_check(int image, int increment, std::optional<std::int64_t> proven,
                  const std::string& damage);

  // First step of a flatten: the image is locked until that has ended.
  void mark_flattening(int image, int keep);
  // It has ended in that error, and has changed nothing.
  void fail_flatten(int image, const std::string& error);
  // The increments up to this one have become it: its other values are new.  None is proven any
  // more: what they build on was not read back.
  void flatten(int image, const BackupRecord& merged, const std::vector<SumsRecord>& sums = {});

  // The next backup of the machine begins a new chain.
  void forget_active(int vm);
  void protect(int image, bool is_protected);

  // First step of a delete: the image takes no more increments.  `force`: it goes from here also
  // when its store says no; that is remembered.
  void mark_deleting(int image, bool force = false);
  // It could not be deleted; the next delete begins where this one has ended.
  void fail_delete(int image, const std::string& error);
  // Last step: it is gone.
  void remove_image(int image);

 private:
  Store(std::filesystem::path file, SQLite::Database&& db)
      : file_{std::move(file)}, db_{std::move(db)} {}
  std::vector<Attempt> attempts(const std::string& where, std::optional<int> vm) const;
  void set_work(int image, const std::string& values, const std::string& value);
  std::vector<ImageRecord> read_images(std::optional<int> id, std::optional<int> vm) const;

  std::filesystem::path file_;
  mutable SQLite::Database db_;
};

}  // namespace state
