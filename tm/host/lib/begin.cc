// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/begin.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/cancel.h"
#include "common/file.h"
#include "common/mount.h"
#include "common/one/action.h"
#include "common/one/sums_file.h"
#include "common/sha256.h"
#include "tm/host/lib/capture.h"
#include "tm/host/lib/exchange.h"
#include "tm/host/lib/foreign.h"
#include "tm/host/lib/lock.h"
#include "tm/host/lib/recover.h"
#include "tm/host/lib/register.h"
#include "tm/host/lib/serve.h"
#include "tm/host/lib/view.h"

namespace fs = std::filesystem;

namespace host {
namespace {

// The backup dir of a backup that has not come to a good end.
class BackupDir {
 public:
  explicit BackupDir(const fs::path& path) : path_{path} {
    unmount_view(path_);
    remove_tree(path_);
    std::error_code error;
    fs::create_directories(path_.parent_path(), error);
    if (error) throw system_error("make '" + path_.parent_path().string() + "'", error.value());
    if (mkdir(path_.c_str(), 0700) != 0) throw system_error("make '" + path_.string() + "'", errno);
  }
  BackupDir(const BackupDir&) = delete;
  ~BackupDir() {
    if (kept_) return;
    try {
      unmount_view(path_);  // of an exporter that was killed
      remove_tree(path_);
    } catch (const Error& e) {
      log(Level::warn, e.what());
    }
  }
  void commit() { kept_ = true; }

 private:
  fs::path path_;
  bool kept_ = false;
};

// Base64 in lines of 60, as the core's own drivers write it.
std::string in_lines(const std::string& base64) {
  std::string out;
  for (size_t at = 0; at < base64.size(); at += 60) out += base64.substr(at, 60) + "\n";
  return out;
}

std::unique_ptr<Origin> open_running(Capture& capture, Hypervisor& hypervisor) {
  Domain domain = running_domain(capture, hypervisor);
  if (capture.layered()) return open_layered_live(capture, hypervisor, domain);
  return open_live(capture, hypervisor, std::move(domain));
}

// With its files open nobody starts a VM; one with all its disks elsewhere may have run meanwhile.
void insist_on_rest(const Capture& capture, Hypervisor& hypervisor) {
  if (!capture.request.file_disks().empty()) return;
  const auto domain = domain_of(hypervisor, capture.request);
  if (domain && is_active(*domain)) throw Error{"while its disks were taken"};
}

// A VM that is off, unless it was started meanwhile: then it is captured as it runs.
std::unique_ptr<Origin> open_stopped(Capture& capture, Hypervisor& hypervisor) {
  try {
    look_at_stopped(capture, hypervisor);
    if (capture.layered()) return open_layered_offline(capture, hypervisor);
    auto origin = open_offline(capture);
    insist_on_rest(capture, hypervisor);
    return origin;
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {
    const auto domain = domain_of(hypervisor, capture.request);
    if (!domain || !is_active(*domain)) throw;
    log(Level::info, "the VM was started (" + std::string{e.what()} + "): it is captured live");
    capture.journal.at_rest = false;
    return open_running(capture, hypervisor);
  }
}

using Documents = std::vector<std::pair<std::string, std::string>>;

// The result knows them all, and is one of them.
Documents documents_of(const Capture& capture, Result& result) {
  Documents out{{"vm.xml", in_lines(base64_encode(capture.request.vm_xml))}};
  if (!capture.domain_xml.empty()) out.emplace_back("domain.xml", capture.domain_xml);
  for (const auto& kept : capture.kept)
    if (kept.why.empty()) out.emplace_back(kept.name, kept.bytes);
  for (const auto& [name, text] : out) result.files[name] = sha256_of(text);
  out.emplace_back("vmvault.json", result.to_json());
  return out;
}

void report(const Result& result) {
  for (const auto& disk : result.disks) {
    if (disk.why.empty()) continue;
    log(Level::info, "disk " + std::to_string(disk.id) + " is whole in increment " +
                         std::to_string(result.increment) + ": " + disk.why);
  }
}

// How the disks get into the backup dir.
enum class How { view, copy };

How choose_how(const HostRequest& request) {
  const std::string wish = request.setting("EXPORT", "view");
  if (wish == "copy") return How::copy;
  if (wish != "view")
    throw BadRequest{"the setting EXPORT is neither view nor copy: '" + wish + "'"};
  std::string why = no_fuse_because();
  const auto level = request.reader.empty() ? Level::warn : Level::info;
  if (!request.reader.empty()) why = "another host, " + request.reader + ", has to read them";
  if (why.empty()) return How::view;
  log(level, "the disks are copied to '" + request.backup_dir.string() + "': " + why);
  return How::copy;
}

void copy(Capture& capture, const Handover& what) {
  copy_disks(what.disks, what.plans, Reading::of(capture.request, what.disks.size()),
             [&] { capture.guard.check(); });
  capture.guard.check();
  what.origin->end();
  for (const auto& [name, text] : what.documents)
    write_file(capture.request.backup_dir / name, text);
  for (const auto& disk : what.disks) {
    const auto name = sums_file(disk.target.filename().string());
    keep_sums(capture, name, read_file(capture.request.backup_dir / name));
  }
  what.origin->commit(what.disks);
}

// Layers are files; and what is taken of each storage has to be taken at the same moment.
void refuse_mixed_layers(const Capture& capture) {
  const HostRequest& request = capture.request;
  if (!capture.layered()) return;
  for (const int id : request.disk_ids)
    if (const Disk& disk = request.vm.disk(id); !disk.is_file())
      throw Error{"INCREMENT_MODE=SNAPSHOT cannot be used with VM " +
                  std::to_string(request.vm.id) + ", whose disk " + std::to_string(id) + " is in " +
                  (disk.lvm.empty() ? "Ceph" : "LVM") + ": use CBT"};
}

std::unique_ptr<Origin> open(Capture& capture, Hypervisor* hypervisor) {
  if (!hypervisor) return open_on_bridge(capture);
  refuse_mixed_layers(capture);
  repair_foreign(capture.request, *hypervisor);
  if (capture.cbt()) look_after_layers(capture.request, *hypervisor);
  return capture.request.live ? open_running(capture, *hypervisor)
                              : open_stopped(capture, *hypervisor);
}

Handover prepare(Capture& capture, Hypervisor* hypervisor) {
  Handover out{.capture = capture,
               .hypervisor = hypervisor,
               .origin = open(capture, hypervisor),
               .disks = {},
               .plans = {},
               .documents = {}};
  out.disks = out.origin->disks();
  out.plans = plan_disks(out.disks);
  Result& result = out.origin->result;
  for (size_t i = 0; i < out.disks.size(); ++i)
    result.disks.push_back(disk_result(capture, out.origin->parts()[i], out.disks[i]));
  for (const auto& kept : capture.kept) result.documents.push_back(document_result(kept));
  report(result);
  out.documents = documents_of(capture, result);
  write_file(capture.request.vm_dir / "backup.result", result.to_json());
  return out;
}

enum class Now { served, copied };

// When the guard has ended the backup, reads fail for many a reason: its own is the one that helps.
Now capture_disks(Capture& capture, Hypervisor* hypervisor, How how) try {
  Handover what = prepare(capture, hypervisor);
  if (how == How::copy) return copy(capture, what), Now::copied;
  what.origin->commit(what.disks);
  serve(what);
  return Now::served;
} catch (const Error&) {  // also a cancellation: it may be the guard's
  capture.guard.check();
  throw;
}

}  // namespace

void make_state_dir(const HostRequest& request) {
  std::error_code error;
  fs::create_directories(request.vm_dir, error);
  if (error) throw system_error("make '" + request.vm_dir.string() + "'", error.value());
}

void begin(const HostRequest& request) {
  const How how = choose_how(request);
  Reading::of(request, request.disk_ids.size());  // refuses bad settings before anything is done
  const FileLock held = lock_unless_used(request);
  pay_debts(request.vm_dir);
  // Whoever restored this VM in place is gone, or it would not be backed up.
  end_exchange(request.vm_dir);
  std::optional<Hypervisor> connected;
  if (!request.bridge) connected.emplace(request.libvirt_uri);
  Hypervisor* const hypervisor = connected ? &*connected : nullptr;
  Guard guard{{request.vm_dir, hypervisor ? request.libvirt_uri : "", held.fd()}};
  Journal journal = new_journal(request, hypervisor);
  journal.guard = guard.pid();
  journal.at_rest = hypervisor && !request.live;
  enter(request.vm_dir);
  journal.save(request.vm_dir);
  Capture capture{.request = request, .journal = journal, .guard = guard};
  try {
    BackupDir dir{request.backup_dir};
    const Now now = capture_disks(capture, hypervisor, how);
    dir.commit();
    if (now == Now::served) return;  // the journal is the exporter's now
  } catch (...) {
    if (!owes(journal)) Journal::remove(request.vm_dir);
    throw;
  }
  journal.backup_dir.clear();  // stays, until `end`
  settle(journal, request.vm_dir);
}

}  // namespace host
