// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/journal.h"

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/file.h"
#include "common/json.h"
#include "tm/host/lib/lvm_snapshots.h"
#include "tm/host/lib/rbd_snapshots.h"
#include "tm/host/lib/register.h"

namespace fs = std::filesystem;
using nlohmann::json;

namespace host {
namespace {

fs::path file_in(const fs::path& vm_dir) { return vm_dir / "backup.journal"; }

// Whoever executes a journal removes what it names: it must not be able to name anything.
void insist_on_own_names(const Journal& journal) {
  const auto ours = [](const fs::path& path) {
    return path.filename().string().starts_with("vmvault") ||
           (path.filename() == "nbd.sock" &&
            path.parent_path().filename().string().starts_with("vmvault."));
  };
  if (!journal.backup_dir.empty() && journal.backup_dir.filename() != "backup")
    throw Error{"the backup journal names a wrong directory"};
  for (const auto& path : journal.scratch)
    if (!path.is_absolute() || !ours(path)) throw Error{"the backup journal names a foreign file"};
  for (const auto& one : journal.snapshots)
    if (!is_snapshot_name(one.name)) throw Error{"the backup journal names a foreign snapshot"};
}

json to_json(const Journal::Volume& one) {
  return {
      {"origin", one.origin.display()}, {"pool", one.pool}, {"name", one.name}, {"keep", one.keep}};
}

Journal::Volume parse_volume(const json& in) {
  Journal::Volume out{.origin = lvm::parse_volume(in.at("origin").get<std::string>()),
                      .pool = in.at("pool"),
                      .name = in.at("name"),
                      .keep = in.at("keep")};
  const bool itself = out.pool.empty() && out.keep && out.name == out.origin.name;
  if (!itself && !is_snapshot_of(out.origin.name, out.name))
    throw Error{"the backup journal names a foreign volume"};
  if (!out.pool.empty()) lvm::parse_volume(out.origin.group + "/" + out.pool);
  return out;
}

json to_json(const Journal::Snapshot& one) {
  return {{"image", one.image.display()},
          {"snapshot", one.name},
          {"user", one.image.user},
          {"conf", one.image.conf},
          {"key_file", one.image.key_file}};
}

Journal::Snapshot parse_snapshot(const json& in) {
  Journal::Snapshot out{.image = rbd::parse_image(in.at("image").get<std::string>()),
                        .name = in.at("snapshot")};
  out.image.user = in.at("user");
  out.image.conf = in.at("conf");
  out.image.key_file = in.at("key_file");
  return out;
}

}  // namespace

std::string Journal::to_text() const {
  json out{{"version", 1},
           {"run", run},
           {"host_uuid", host_uuid},
           {"boot_id", boot_id},
           {"pid", pid},
           {"vm", vm_id},
           {"domain", domain},
           {"libvirt_uri", libvirt_uri},
           {"backup_dir", backup_dir.string()},
           {"thaw_owed", ::to_text(thaw_owed)},
           {"job_begun", job_begun},
           {"at_rest", at_rest},
           {"was_paused", was_paused},
           {"had_io_error", had_io_error},
           {"resume_owed", resume_owed},
           {"switches", json::array()},
           {"exporter", exporter},
           {"guard", guard},
           {"snapshots", json::array()},
           {"volumes", json::array()},
           {"scratch", json::array()}};
  for (const auto& file : scratch) out["scratch"].push_back(file.string());
  for (const auto& one : switches)
    out["switches"].push_back({{"disk", one.disk}, {"target", one.target}});
  for (const auto& one : snapshots) out["snapshots"].push_back(to_json(one));
  for (const auto& one : volumes) out["volumes"].push_back(to_json(one));
  return out.dump(1) + "\n";
}

Journal Journal::parse(const std::string& text) {
  try {
    const json in = parse_json(text);
    if (in.at("version") != 1) throw Error{"the backup journal has an unknown version"};
    Journal out;
    out.run = in.at("run");
    out.host_uuid = in.at("host_uuid");
    out.boot_id = in.at("boot_id");
    out.pid = in.at("pid");
    out.vm_id = in.at("vm");
    out.domain = in.at("domain");
    out.libvirt_uri = in.at("libvirt_uri");
    out.backup_dir = in.at("backup_dir").get<std::string>();
    out.thaw_owed = parse_freeze(in.at("thaw_owed").get<std::string>());
    out.job_begun = in.at("job_begun");
    out.was_paused = in.at("was_paused");
    out.had_io_error = in.value("had_io_error", out.was_paused);  // older ones knew no more
    out.exporter = in.at("exporter");
    out.guard = in.value("guard", -1);  // newer than version 1, as the next
    out.at_rest = in.value("at_rest", false);
    out.resume_owed = in.value("resume_owed", false);
    for (const auto& one : in.value("switches", json::array()))
      out.switches.push_back({one.at("disk"), one.at("target")});
    for (const auto& one : in.value("snapshots", json::array()))
      out.snapshots.push_back(parse_snapshot(one));
    for (const auto& one : in.value("volumes", json::array()))
      out.volumes.push_back(parse_volume(one));
    for (const auto& file : in.at("scratch")) out.scratch.emplace_back(file.get<std::string>());
    insist_on_own_names(out);
    return out;
  } catch (const json::exception& e) {
    throw Error{"the backup journal is damaged: " + std::string{e.what()}};
  }
}

std::optional<Journal> Journal::load(const fs::path& vm_dir) {
  const auto text = read_file_if_any(file_in(vm_dir));
  if (!text) return std::nullopt;
  return parse(*text);
}

bool Journal::only_snapshots() const {
  return !snapshots.empty() && volumes.empty() && backup_dir.empty() && scratch.empty() &&
         switches.empty() && thaw_owed == Freeze::none && !job_begun && !resume_owed;
}

void Journal::save(const fs::path& vm_dir) const { write_file(file_in(vm_dir), to_text()); }

void Journal::remove(const fs::path& vm_dir) {
  if (unlink(file_in(vm_dir).c_str()) != 0 && errno != ENOENT)
    throw system_error("remove '" + file_in(vm_dir).string() + "'", errno);
  sync_directory(vm_dir);
  strike_out(vm_dir);
}

std::string boot_id() {
  std::string text = read_file("/proc/sys/kernel/random/boot_id");
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string random_hex(int digits) {
  std::string out;
  while (static_cast<int>(out.size()) < digits) {
    unsigned char byte = 0;
    if (getrandom(&byte, 1, 0) != 1) throw system_error("get random bytes", errno);
    out += "0123456789abcdef"[byte & 0xf];
  }
  return out;
}

}  // namespace host
