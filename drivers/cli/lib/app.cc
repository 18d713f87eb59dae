// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/app.h"

#include <unistd.h>

#include <cerrno>

#include "common/cancel.h"
#include "common/ended.h"
#include "common/error.h"
#include "common/one/location.h"
#include "common/one/log_line.h"
#include "drivers/cli/lib/display.h"
#include "drivers/lib/place.h"

namespace cli {
namespace {

std::string plain_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    if (!is_log_line(line)) out += std::string{line} + "\n";
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return one_line(out);
}

// Locks are files, and so is what SQLite puts beside its own.
void insist_on_writing(const std::filesystem::path& var) {
  if (access(var.c_str(), W_OK | X_OK) != 0)
    throw system_error(
        "write to the state directory '" + var.string() + "', which is needed also to look into it",
        errno);
}

state::Store opened(const state::Home& home) {
  insist_on_writing(home.var());
  home.prepare();
  return state::Store{home.database()};
}

// Where there is none, and none was lost.
state::Store none_yet(const state::Home& home) {
  std::error_code none;
  if (const auto there = std::filesystem::status(home.var(), none);
      std::filesystem::exists(there) && !std::filesystem::is_directory(there))
    throw Error{"the state directory '" + home.var().string() + "' is no directory"};
  home.refuse_lost_state();
  return state::Store::nothing();
}

void name_default(state::Store& store) {
  if (!store.datastore(state::default_datastore))
    store.put_datastore({.id = state::default_datastore, .name = "default", .ds_mad = "restic"});
}

}  // namespace

App::App(std::string libvirt_uri)
    : uri_{std::move(libvirt_uri)},
      home_{var_path()},
      there_{std::filesystem::exists(home_.database())},
      store_{there_ ? opened(home_) : none_yet(home_)} {
  name_default(store_);
}

void App::insist_on_place() {
  if (there_) state::insist_on_place(store_, home_);
}

void App::make_state() {
  insist_on_place();
  if (there_) return;
  var_dir();
  const bool first_use = home_.prepare();
  store_ = state::Store{home_.database()};
  name_default(store_);
  there_ = true;
  insist_on_place();
  if (first_use)
    note("the backups' password was made in '" + home_.password_file().string() +
         "': keep a copy of it elsewhere, nothing can be restored without it");
}

Command App::action(const std::string& name) const {
  Command command{(remotes_root() / name).string()};
  command.env("VMVAULT_VAR", home_.var().string())
      .env("VMVAULT_CORE_DIR", home_.var().string())
      .env("LIBVIRT_URI", uri_);
  return command;
}

Command App::datastore_action(int datastore, const std::string& name) const {
  const auto known = store_.datastore(datastore);
  if (!known) throw Error{"datastore " + std::to_string(datastore) + " is unknown"};
  home_.datastore(datastore);  // what is wrong with it is told here, before a driver stumbles
  return action("datastore/" + known->ds_mad + "/" + name);
}

state::ImageRecord App::image(int id) const {
  auto found = store_.image(id);
  if (!found)
    throw Error{"there is no image " + std::to_string(id) +
                " ('vmvault list' shows what there is)"};
  return *std::move(found);
}

FileLock App::lock(const state::VmRecord& vm) {
  insist_on_place();
  home_.prepare_vm(vm.id, vm.uuid);
  auto lock = FileLock::try_lock(home_.vm_dir(vm.uuid) / "cli.lock");
  if (!lock)
    throw Error{"another vmvault works on '" + vm.name + "' now: try again when it has ended"};
  return *std::move(lock);
}

guest::Subject found_subject(const App& app, const std::string& domain, bool force) {
  auto subject = guest::find_subject(app.uri(), domain, force);
  for (const auto& one : subject.notes) note(one);
  return subject;
}

void insist(const Finished& finished, const std::string& doing) {
  if (finished.ok()) return;
  if (finished.status == static_cast<int>(Exit::cancelled) && cancel::requested())
    throw Cancelled{};
  const auto why = plain_lines(finished.err);
  throw Error{
      doing + ": " + (why.empty() ? ended("it", finished.status) : why),
      finished.status == static_cast<int>(Exit::bad_request) ? Exit::bad_request : Exit::failed};
}

}  // namespace cli
