// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/restore_errands.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "common/base64.h"
#include "common/command.h"
#include "common/disk_file.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/location.h"
#include "common/one/log_line.h"
#include "common/one/machine_state.h"
#include "common/qcow2/image_file.h"
#include "common/random.h"
#include "drivers/lib/backup_plan.h"
#include "drivers/lib/messages.h"
#include "drivers/lib/restore_order.h"
#include "drivers/lib/restores.h"
#include "drivers/lib/subject.h"
#include "drivers/lib/work_dir.h"
#include "drivers/vmvaultd/lib/backup_point.h"
#include "drivers/vmvaultd/lib/new_machine.h"

namespace fs = std::filesystem;

namespace vmvaultd {
namespace {

constexpr std::chrono::hours longest_wait{240};  // for one that its service has left behind

constexpr const char* cut_off =
    "it was cut off, and is not done again by itself, since the machine may have written since: "
    "its disks are all old or all restored, order it again";

constexpr const char* outdated =
    "it was ordered before an older state was put back, or before the last boot, and is not begun "
    "by itself, since the machine may have written since: its disks are as they were, order it "
    "again";

void say(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) == EOF || std::fflush(stdout) != 0)
    throw Error{"nobody hears the answer"};
}

// Others pass through it, and cannot list it.
void make_directory(const fs::path& dir) {
  fs::create_directories(dir.parent_path());
  if (mkdir(dir.c_str(), 0711) != 0 && errno != EEXIST)
    throw system_error("make the directory '" + dir.string() + "'", errno);
}

void remove_parts(const fs::path& file) {
  const auto prefix = file.filename().string() + ".";
  for (const auto& path : entries_of(file.parent_path()))
    if (path.filename().string().starts_with(prefix)) fs::remove(path);
}

// A machine may use what has that name already.
void put_in_place(const fs::path& part, const fs::path& file) {
  int done = renameat2(AT_FDCWD, part.c_str(), AT_FDCWD, file.c_str(), RENAME_NOREPLACE);
  if (done != 0 && errno == EINVAL)  // a file system without it, as NFS
    done = link(part.c_str(), file.c_str()) == 0 ? unlink(part.c_str()) : -1;
  if (done != 0 && errno == EEXIST)
    throw Error{
        "'" + file.string() +
        "' is there already, and stays as it is, since a machine may use it: restore again"};
  if (done != 0) throw system_error("rename '" + part.string() + "'", errno);
  sync_directory(file.parent_path());
}

void download(const state::Home& home, BackupPoint& point, const state::DiskImage& image, int fd) {
  const state::WorkDir work{home};
  point.write_sums(work.path());
  const auto progress = home.image_progress(image.id);
  fs::create_directories(progress.parent_path());
  const Removed removed{progress};
  Finished finished;
  for (int tries = 3; tries > 0; --tries) {
    if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
      throw system_error("begin the restored disk", errno);
    finished = point.downloader()
                   .arg("--stream")
                   .arg(point.url(image.origin.disk))
                   .env("VMVAULT_SUMS", work.path().string())
                   .env("VMVAULT_PROGRESS", progress.string())
                   .write_to(fd)
                   .run();
    constexpr int killed = 128;
    if (finished.status <= killed || finished.status == ssh_failed) break;
  }
  insist(finished, "cannot restore disk " + std::to_string(image.origin.disk));
  if (fsync(fd) != 0) throw system_error("write the restored disk", errno);
}

// The documents that the restore's program reads in the place of a core's answers.
void write_documents(const state::Home& home, int vm, const guest::Subject& subject,
                     const guest::HostUri& host, const std::vector<messages::VmDisk>& disks,
                     const state::ImageRecord& image) {
  const auto document = messages::vm({.vm_id = vm,
                                      .guest = subject.guest,
                                      .disks = disks,
                                      .running = false,
                                      .config = {},
                                      .host = host.host});
  // The file itself is what is replaced.
  for (auto& disk : document.root().find_all("TEMPLATE/DISK"))
    if (auto save = disk.first("SAVE")) save->set_text("YES");
  write_file(home.vm_link(vm).string() + ".xml", document.dump() + "\n", 0600);
  fs::create_directories(home.var() / "images");
  write_file(home.var() / "images" / (std::to_string(image.id) + ".xml"),
             messages::image(image).dump() + "\n", 0600);
}

// "7-0badcafe.qcow2": none but this image ever had that name (Restores::add).
bool has_own_name(const state::DiskImage& image) {
  return image.source.stem().string().find('-') != std::string::npos;
}

void say_size(const fs::path& file) {
  const auto size = disk_file::probe(file, "qcow2").virtual_size;
  say(std::to_string((size + (1 << 20) - 1) >> 20) + "\n");
}

}  // namespace

void fetch_disk(const state::Home& home, int id) {
  state::Store store{home.database()};
  state::Restores restores{store};
  const auto image = restores.disk_image(id);
  if (!image) throw Error{"there is no disk image " + std::to_string(id)};
  // It was restored, and nobody heard: the service was killed, or its state is an older one now.
  if (has_own_name(*image) && fs::exists(image->source)) return say_size(image->source);
  BackupPoint point{home, store, image->origin};
  make_directory(image->source.parent_path());
  remove_parts(image->source);
  // A name of its own: what was left behind by another may still be written.
  const fs::path part = image->source.string() + "." + random_hex(8);
  try {
    const Fd fd = open_file(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    download(home, point, *image, fd.get());
    check_header_of(part, "the restored disk", Backing::refused);
    check_whole(part, "the restored disk");
    put_in_place(part, image->source);
    say_size(image->source);
  } catch (...) {
    std::error_code ignored;
    fs::remove(part, ignored);
    throw;
  }
}

void fetch_template(const state::Home& home, int id) {
  state::Store store{home.database()};
  state::Restores restores{store};
  const auto record = restores.one_template(id);
  if (!record) throw Error{"there is no template " + std::to_string(id)};
  const auto dir = restores.directory(home, record->datastore);
  BackupPoint point{home, store, record->origin};
  NewMachine machine{.record = *record,
                     .domain = point.document("domain.xml"),
                     .nvram = point.document_if_any(machine_state::nvram),
                     .tpm = point.document_if_any(machine_state::tpm),
                     .emulator_cpus = state::emulator_cpus(store),
                     .dir = dir,
                     .disks = {},
                     .files = free_name(dir, id)};
  for (const auto& image : restores.disk_images())
    if (image.template_id == id)
      machine.disks.push_back({.image = image,
                               .target = point.target(image.origin.disk),
                               .as_seen = point.is_as_seen(image.origin.disk)});
  make_directory(dir);
  say(base64_encode(write_machine(machine)) + "\n");
}

// libvirt would have qemu read there what a restored disk says is zero: it holds everything, and no
// more.
void insist_on_nothing_below(const std::vector<messages::VmDisk>& disks, int wanted,
                             const std::string& machine) {
  for (const auto& one : disks)
    if (!one.disk.below.empty() && (wanted < 0 || wanted == one.id))
      throw Error{"the domain has '" + one_line(one.disk.below) + "' below its disk " +
                  one.disk.target + ", and the guest would see it through what is restored: take " +
                  "that <backingStore> out first (virsh edit " + machine + ")"};
}

namespace {

// What it would find encrypted would not be.
void insist_on_encryption(const state::Home& home, state::Store& store, const state::Origin& origin,
                          const std::vector<messages::VmDisk>& disks) {
  std::optional<BackupPoint> point;
  for (const auto& one : disks) {
    if (!one.disk.encrypted || (origin.disk >= 0 && origin.disk != one.id)) continue;
    if (!point) point.emplace(home, store, origin);
    if (point->has(one.id) && point->is_as_seen(one.id))
      throw Error{"the domain's disk " + one.disk.target +
                  " is encrypted, and the backup has what its guest saw, without that: 'vmvault "
                  "restore --to' restores it, with a domain that says so"};
  }
}

// Nothing: one that was left behind has done it.  Error where it has failed, or died: its lock is
// ours.
std::optional<state::RestoreRecord> still_wanted(const state::Home& home, state::Restores& restores,
                                                 int vm) {
  auto wanted = restores.restore_of(vm);
  if (!wanted) return std::nullopt;
  if (wanted->ended && !wanted->error.empty()) throw Error{wanted->error};
  if (wanted->ended) return std::nullopt;
  if (!wanted->begun && state::is_ordered(home, *wanted)) return wanted;
  if (!wanted->begun) {
    restores.end(vm, outdated);
    throw Error{outdated};
  }
  // The machine may have been started since, and have written.
  restores.end_cut_off(vm, cut_off);
  throw Error{cut_off};
}

// Its service may not be there any more to note what it hears.
void end(state::Restores& restores, int vm, const Finished& finished) {
  try {
    insist(finished, "cannot restore");
  } catch (const Error& error) {
    restores.end(vm, error.what());
    throw;
  }
  restores.end(vm, "");
}

}  // namespace

void restore_in_place(const state::Home& home, const std::string& uri, int vm) {
  state::Store store{home.database()};
  state::Restores restores{store};
  const auto machine = store.vm(vm);
  if (!machine) throw Error{"there is no machine " + std::to_string(vm)};
  home.prepare_vm(vm, machine->uuid);
  const auto lock = FileLock::lock(home.vm_dir(machine->uuid) / "cli.lock", longest_wait,
                                   "VM " + std::to_string(vm));
  fcntl(lock.fd(), F_SETFD, 0);  // also for what we start
  const auto wanted = still_wanted(home, restores, vm);
  if (!wanted) return;
  const auto subject = guest::find_subject_at(uri, machine->uuid);
  if (subject.running) throw Error{"it runs: it must be powered off"};
  const auto image = store.image(wanted->origin.image);
  if (!image)
    throw Error{"image " + std::to_string(wanted->origin.image) + " is not there any more"};
  const auto host = guest::parse_host_uri(uri);
  Mode mode;
  const auto disks =
      guest::take_disks(store, vm, subject.guest, mode, guest::MachineFiles{host.host});
  insist_on_nothing_below(disks, wanted->origin.disk, machine->name);
  insist_on_encryption(home, store, wanted->origin, disks);
  const auto dir =
      host.is_here() ? home.vm_link(vm) : state::prepare_dir(home, *machine, host, disks);
  write_documents(home, vm, subject, host, disks, *image);
  const auto progress = home.restore_progress(vm);
  fs::remove(progress);  // of an earlier one
  restores.note_begun(vm);
  state::forget_order(home, vm);
  const auto finished = Command{(remotes_root() / "tm/qcow2/restore").string(),
                                host.host + ":" + dir.string(),
                                std::to_string(vm),
                                std::to_string(image->id),
                                std::to_string(wanted->origin.increment),
                                std::to_string(wanted->origin.disk)}
                            .env("VMVAULT_PROGRESS", progress.string())
                            .err_lines(pass_log_line)
                            .run();
  fs::remove(progress);
  end(restores, vm, finished);
}

}  // namespace vmvaultd
