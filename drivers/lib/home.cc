// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/home.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "common/error.h"
#include "common/file.h"
#include "common/machine_dir.h"
#include "common/one/core.h"
#include "drivers/lib/document.h"
#include "drivers/lib/work_dir.h"

namespace fs = std::filesystem;

namespace state {
namespace {

void make_directory(const fs::path& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    throw system_error("make the directory '" + path.string() + "'", errno);
}

std::string random_hex() {
  std::array<unsigned char, 32> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw system_error("get random bytes", errno);
  std::string text;
  for (const unsigned char byte : bytes) {
    constexpr char digits[] = "0123456789abcdef";
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

// Its content without the newline that an editor adds.
std::string read_password(const fs::path& path) {
  auto text = read_file(path);
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  if (text.empty())
    throw Error{"the password file '" + path.string() +
                "' is empty: put your copy of it back (mode 0600)"};
  return text;
}

std::string description_of(const fs::path& datastore_file) {
  return "the datastore's description '" + datastore_file.string() + "'";
}

bool is_local(const Xml& datastore) { return datastore.find("TEMPLATE/RESTIC_BACKEND") == "LOCAL"; }

fs::path base_of(const Xml& datastore) { return datastore.find("BASE_PATH").value_or(""); }

Xml new_datastore(const fs::path& base) {
  auto document = Xml::create("DATASTORE");
  auto root = document.root();
  root.add("ID", std::to_string(default_datastore));
  root.add("NAME", "default");
  root.add("DS_MAD", "restic");
  root.add("TM_MAD", "-");
  root.add("BASE_PATH", base.string());
  root.add("TYPE", "3");
  root.add("DISK_TYPE", "0");
  root.add("STATE", "0");
  auto attributes = root.add("TEMPLATE");
  attributes.add("DS_MAD", "restic");
  attributes.add("RESTIC_BACKEND", "LOCAL");
  attributes.add("TM_MAD", "-");
  attributes.add("TYPE", "BACKUP_DS");
  return document;
}

}  // namespace

Home::Home(fs::path var) : var_{std::move(var)} {
  for (const char c : var_.string())
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f)
      throw BadRequest{"the state directory '" + one_line(var_.string()) +
                       "' must not have blanks in its name: set VMVAULT_VAR to another"};
}

fs::path Home::datastore_file(int id) const {
  return var_ / "datastores" / (std::to_string(id) + ".xml");
}

bool Home::prepare() const {
  for (const auto& path : {var_, var_ / "vms"}) make_passable(path);
  make_directory(var_ / "datastores", 0700);
  const auto guard = lock();
  remove_left_work(var_);
  const bool made = make_password();
  refuse_lost_state();
  make_datastore();
  return made;
}

FileLock Home::lock() const {
  return FileLock::lock(var_ / "home.lock", std::chrono::seconds{30}, "the state directory");
}

// A new one would give the ids of its machines, and so their repositories, to others.
void Home::refuse_lost_state() const {
  std::error_code none;
  const auto size = fs::file_size(database(), none);
  const bool gone = none == std::errc::no_such_file_or_directory;
  if ((none && !gone) || (!none && size > 0) || !has_repositories()) return;
  throw Error{"the state file '" + database().string() + "' is " + (gone ? "gone" : "empty") +
              ", and the backups in '" + repository().string() +
              "' are of machines that only it knows: put your copy of it back, or move that "
              "directory away to begin anew"};
}

bool Home::has_repositories() const {
  std::error_code none;
  return fs::exists(repository()) && !fs::is_empty(repository(), none) && !none;
}

bool Home::make_password() const {
  if (fs::exists(password_file())) return false;
  if (has_repositories())
    throw Error{"the password file '" + password_file().string() + "' is gone, and '" +
                repository().string() +
                "' cannot be read without it: put your copy of it back (mode 0600)"};
  write_file(password_file(), random_hex() + "\n", 0600);
  return true;
}

// What an operator adds to the file stays.  Only the password is always that of the password file.
void Home::make_datastore() const {
  const auto path = datastore_file(default_datastore);
  const auto before = read_file_if_any(path);
  auto document =
      before ? read_document(*before, description_of(path)) : new_datastore(repository());
  const auto password = read_password(password_file());
  if (auto old = document.root().first("TEMPLATE/RESTIC_PASSWORD")) {
    if (old->text() == password) return;
    old->set_text(password);
  } else {
    auto attributes = document.root().first("TEMPLATE");
    (attributes ? *attributes : document.root().add("TEMPLATE")).add("RESTIC_PASSWORD", password);
  }
  write_file(path, document.dump() + "\n", 0600);
}

void Home::write_datastore(int id, const Xml& datastore) const {
  write_file(datastore_file(id), datastore.dump() + "\n", 0600);
}

void Home::note_host(const std::string& host, const std::string& uri) const {
  make_directory(var_ / "hosts", 0700);
  write_file(var_ / uri_file(host), uri + "\n", 0600);
}

std::string Home::last_host(const std::string& uuid) const {
  const auto noted = read_file_if_any(vm_dir(uuid) / "host");
  return noted ? noted->substr(0, noted->find('\n')) : "localhost";
}

void Home::note_last_host(const std::string& uuid, const std::string& host) const {
  write_file(vm_dir(uuid) / "host", host + "\n");
}

void Home::prepare_vm(int id, const std::string& uuid) const {
  make_passable(vm_dir(uuid));
  const auto link = vm_link(id);
  std::error_code none;
  if (fs::read_symlink(link, none) == uuid) return;
  fs::remove(link, none);
  if (symlink(uuid.c_str(), link.c_str()) != 0)
    throw system_error("make the link '" + link.string() + "'", errno);
  sync_directory(link.parent_path());
}

Xml Home::described(int id) const {
  const auto text = read_file_if_any(datastore_file(id));
  if (!text)
    throw Error{"datastore " + std::to_string(id) + " is unknown: there is no '" +
                datastore_file(id).string() + "'"};
  return read_document(*text, description_of(datastore_file(id)));
}

// Not corrected by itself: what it names may be a file system that is not mounted now.
Xml Home::datastore(int id) const {
  auto document = described(id);
  if (has_moved(document))
    throw Error{description_of(datastore_file(id)) + " says that the repositories are in '" +
                base_of(document).string() + "', which is not there, and there is '" +
                repository().string() + "': if the state was moved, correct BASE_PATH" +
                (id == default_datastore ? ", as 'vmvault adopt' does" : "")};
  return document;
}

// Two states in one repository would merge and delete each other's backups.
bool Home::is_of_another_state(const fs::path& base) const {
  std::error_code none;
  return base.filename() == repository().filename() &&
         fs::exists(base.parent_path() / database().filename(), none) &&
         !fs::equivalent(base.parent_path(), var_, none);
}

std::string Home::why_of_another() const {
  const auto document = described(default_datastore);
  const auto base = base_of(document);
  if (!is_local(document) || !is_of_another_state(base)) return "";
  return "the state directory '" + var_.string() + "' is a copy of '" +
         base.parent_path().string() + "', whose backups are in '" + base.string() +
         "' and would be changed: if they are to be this one's, move the other one away; if not, "
         "correct BASE_PATH in '" +
         datastore_file(default_datastore).string() + "', to '" + repository().string() +
         "' if the repositories were copied, too";
}

bool Home::has_moved(const Xml& datastore) const {
  const auto base = base_of(datastore);
  return is_local(datastore) && !base.empty() && !fs::exists(base) && fs::exists(repository());
}

void Home::take_repositories() const {
  auto document = described(default_datastore);
  if (!has_moved(document)) return;
  document.root().first("BASE_PATH")->set_text(repository().string());
  write_datastore(default_datastore, document);
}

}  // namespace state
