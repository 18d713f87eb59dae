// SPDX-License-Identifier: Apache-2.0
// What is made of backups: disk images and templates in image datastores (contract 1.9), and
// restores in the place of a machine's disks (contract 1.10).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "drivers/lib/home.h"
#include "drivers/lib/store.h"

namespace state {

enum class ObjectState { locked, ready, error, deleting };
std::string to_text(ObjectState state);  // LOCKED, READY, ERROR, DELETE

// Where in a backup something comes from.
struct Origin {
  int image = -1, increment = -1, disk = -1;  // disk -1: the machine
};

struct DiskImage {
  int id = -1;  // never that of a backup image
  std::string name;
  int owner = 0;
  int datastore = -1;
  bool is_os = false;  // TYPE: OS, or DATABLOCK
  ObjectState state = ObjectState::locked;
  std::int64_t created = 0;
  std::filesystem::path source{};  // the file, once it is ready
  std::int64_t size_mib = 0;       // of the disk
  std::string error{};
  int template_id = -1;  // made with it; -1: alone
  Origin origin{};
};

struct TemplateRecord {
  int id = -1;
  std::string name;
  int owner = 0;
  std::int64_t created = 0;
  ObjectState state = ObjectState::locked;
  std::string error{}, text{};
  int datastore = -1;  // of its disks; -1: somebody has written it
  bool no_ip = false, no_nic = false;
  Origin origin{};
};

struct RestoreRecord {
  int vm = -1;
  Origin origin{};
  std::int64_t started = 0;
  bool begun = false;  // disks may have changed
  std::optional<std::int64_t> ended{};
  std::string error{};  // of one that ended
};

class Restores {
 public:
  // All functions throw as those of the store.
  explicit Restores(Store& store) : store_{store} {}

  int add(const TemplateRecord& record);  // its id
  // Its id; its source is in that directory, and has a name that no other one has ever had.
  int add(const DiskImage& image, const std::filesystem::path& dir);
  std::optional<DiskImage> disk_image(int id) const;
  std::vector<DiskImage> disk_images() const;
  std::optional<TemplateRecord> one_template(int id) const;
  std::vector<TemplateRecord> templates() const;
  // It is ready, or (`error`) has failed.
  void end_disk_image(int id, std::int64_t size_mib, const std::string& error);
  void end_template(int id, const std::string& text, const std::string& error);
  void mark_deleting(int disk_image);
  void remove_disk_image(int id);
  void remove_template(int id);

  // The last of each machine is remembered.
  void begin(const RestoreRecord& restore);
  // From now on its disks may change.
  void note_begun(int vm);
  // Good: the next backup of the machine begins a new chain (contract 4.10).
  void end(int vm, const std::string& error);
  // It was begun, and nobody knows how it ended: an error, and the next backup begins a new chain.
  void end_cut_off(int vm, const std::string& error);
  std::optional<RestoreRecord> restore_of(int vm) const;
  std::vector<int> open_restores() const;  // VMs
  // The backups that something is being restored from.
  std::set<int> origins() const;

  // Directories for disk images.  Their ids are never another's: from 1 to 99, and then from those
  // of datastores for backups, which remove them, too (backup_datastores.h).
  int add_image_datastore(const Home& home, const std::string& name,
                          const std::filesystem::path& dir);
  std::vector<DatastoreRecord> image_datastores() const;
  std::filesystem::path directory(const Home& home, int image_datastore) const;

 private:
  int next_datastore() const;

  Store& store_;
};

// EMULATOR_CPUS of this host; empty if nothing is set.
std::string emulator_cpus(Store& store);

}  // namespace state
