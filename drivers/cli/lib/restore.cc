// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/restore.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <deque>
#include <map>
#include <set>
#include <span>

#include "common/error.h"
#include "common/file.h"
#include "common/one/config.h"
#include "common/one/machine_state.h"
#include "common/one/xml.h"
#include "common/qcow2/disk_file.h"
#include "common/read_at.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/fetch.h"
#include "drivers/cli/lib/new_file.h"
#include "drivers/cli/lib/restore_point.h"
#include "drivers/cli/lib/restored_tpm.h"
#include "drivers/lib/guest.h"
#include "drivers/lib/redirect.h"
#include "drivers/lib/restores.h"

namespace fs = std::filesystem;

namespace cli {
namespace {

// What is to be restored, and to where.
struct Plan : RestorePoint {
  fs::path to;
  // Targets of the disks that are in the backup as they lay encrypted in their place.
  std::set<std::string> encrypted{};

  // libvirt takes what is encrypted in a qcow2 file for another thing than a file that is
  // encrypted.
  bool is_raw(const state::DiskResult& disk) const { return encrypted.contains(disk.target); }
  fs::path file(const state::DiskResult& disk) const {
    return to / ("disk." + std::to_string(disk.id) + (is_raw(disk) ? ".raw" : ".qcow2"));
  }
  fs::path nvram() const { return to / machine_state::nvram_document; }
  fs::path tpm() const { return to / fs::path{machine_state::tpm_file}.filename(); }
};

void refuse_existing(const Plan& plan, bool with_domain) {
  std::string there;
  const auto look = [&](const fs::path& path) {
    if (fs::symlink_status(path).type() == fs::file_type::not_found) return;
    there += (there.empty() ? "'" : ", '") + path.string() + "'";
  };
  for (const auto& disk : plan.disks) look(plan.file(disk));
  if (with_domain)
    for (const auto& path : {plan.to / "domain.xml", plan.nvram(), plan.tpm()}) look(path);
  if (!there.empty())
    throw Error{"nothing is overwritten, and there is already " + there +
                ": remove it, or choose another directory"};
}

std::uint64_t free_bytes(const fs::path& directory) {
  struct statvfs info;
  if (statvfs(directory.c_str(), &info) != 0)
    throw system_error("examine '" + directory.string() + "'", errno);
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

// A restored disk is at least as large as the largest file of its chain, unless much was
// discarded meanwhile: enough to refuse early what cannot succeed.
void refuse_without_space(const Plan& plan) {
  std::map<int, std::uint64_t> largest;
  for (const auto& record : plan.image.increments) {
    if (record.result.empty()) continue;
    for (const auto& disk : state::parse_result(record.result).disks)
      largest[disk.id] = std::max(largest[disk.id], disk.file_size);
  }
  std::uint64_t need = 0;
  for (const auto& disk : plan.disks) need += largest[disk.id] * (plan.is_raw(disk) ? 2 : 1);
  const auto have = free_bytes(plan.to);
  if (need > have)
    throw Error{"not enough space in '" + plan.to.string() + "': the restore needs about " +
                size_text(need) + ", and " + size_text(have) + " are free"};
}

void fetch_to(const App& app, const Plan& plan, const state::DiskResult& disk,
              const NewFile& file) {
  fetch(app, plan.url(disk), file.fd(),
        "cannot restore disk " + std::to_string(disk.id) + " of " + plan.name() + " to '" +
            file.path().string() + "'");
  if (fsync(file.fd()) != 0) throw system_error("write '" + file.path().string() + "'", errno);
}

// The disk of a qcow2 file, sparse.
void write_raw(const fs::path& from, const NewFile& to) {
  constexpr std::size_t at_once = std::size_t{1} << 20;
  const Fd fd = open_file(from, O_RDONLY | O_NOFOLLOW);
  const auto name = "'" + from.string() + "'", doing = "write '" + to.path().string() + "'";
  const auto read = [&](std::uint64_t at, std::span<std::byte> out) {
    return read_at(fd.get(), at, out, name);
  };
  qcow2::DiskFile disk{read, fs::file_size(from), name, qcow2::Behind::nothing};
  std::vector<std::byte> buffer(at_once);
  for (const auto& extent : disk.extents()) {
    if (extent.content != qcow2::Content::data) continue;
    if (lseek(to.fd(), static_cast<off_t>(extent.offset), SEEK_SET) == -1)
      throw system_error(doing, errno);
    for (auto at = extent.offset; at < extent.end();) {
      const auto bytes = std::span{buffer}.first(
          static_cast<std::size_t>(std::min<std::uint64_t>(at_once, extent.end() - at)));
      disk.read(at, bytes);
      write_all(to.fd(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, doing);
      at += bytes.size();
    }
  }
  if (ftruncate(to.fd(), static_cast<off_t>(disk.virtual_size())) != 0 || fsync(to.fd()) != 0)
    throw system_error(doing, errno);
}

// Everything but the disks, read first, since it is small: a wrong password or a lost repository is
// known before any disk.
struct Machine {
  guest::Redirected domain;
  std::string uuid, name;
  std::vector<std::string> keeps;
  std::string nvram, tpm;  // empty: not in the backup
};

Machine read_machine(App& app, Plan& plan) {
  const auto text = plan.document(app, "domain.xml");
  const auto encrypted = guest::encrypted_disks(text);
  for (const auto& disk : plan.disks)
    if (encrypted.contains(disk.target) && !plan.result.is_as_seen(disk))
      plan.encrypted.insert(disk.target);
  std::map<std::string, fs::path> files;
  for (const auto& disk : plan.disks) files[disk.target] = plan.file(disk);
  Machine out;
  if (plan.has(machine_state::nvram)) {
    out.nvram = plan.document(app, machine_state::nvram_document);
    if (out.nvram.empty()) throw Error{"the stored NVRAM is empty"};
  }
  if (plan.has(machine_state::tpm))
    out.tpm = machine_state::unpack_tpm(plan.document(app, machine_state::tpm_document));
  out.domain = guest::redirect(text, files, out.nvram.empty() ? fs::path{} : plan.nvram(),
                               state::emulator_cpus(app.store()), plan.encrypted);
  const Xml domain{out.domain.xml};
  out.uuid = domain.find("uuid").value_or("");
  out.name = domain.find("name").value_or("");
  out.keeps = guest::keeps(domain.root());
  return out;
}

void note_left_out(const Plan& plan, const Machine& machine) {
  for (const auto& what : machine.keeps) {
    const auto* document = plan.result.document(what);
    if (document && !document->file.empty()) continue;
    note("the " + what + " of '" + machine.name + "' is not in the backup" +
         (document ? ": " + document->why : ""));
  }
  for (const auto& target : machine.domain.removed)
    note("disk '" + target + "' is not in the backup, and was taken out of domain.xml");
}

fs::path swtpm_dir(const App& app) {
  const auto set = setting("SWTPM_DIR");
  return set ? fs::path{*set} : machine_state::default_swtpm_dir(app.uri());
}

void write_part(std::deque<NewFile>& parts, const fs::path& path, const std::string& text) {
  const auto& part = parts.emplace_back(path);
  write_all(part.fd(), text, "write '" + path.string() + "'");
}

}  // namespace

void restore(App& app, const RestoreOptions& options) {
  const auto begun = std::time(nullptr);
  Plan plan{restore_point(app, options.image, options.increment, options.disk),
            fs::absolute(options.to).lexically_normal()};
  const bool with_domain = !options.disk && !plan.result.lacks_domain();
  if (!options.disk && !with_domain)
    note("there was no domain any more when " + plan.name() +
         " was made: there is no domain.xml in it");
  refuse_existing(plan, with_domain);

  Machine machine;
  if (with_domain) machine = read_machine(app, plan);
  if (!plan.encrypted.empty()) refuse_existing(plan, with_domain);  // they have other names
  NewDirectories directory{plan.to};
  refuse_without_space(plan);
  std::optional<RestoredTpm> tpm;
  std::deque<NewFile> parts;
  bool checked = true;
  std::uint64_t bytes = 0;
  const auto fetch_part = [&](const state::DiskResult& disk, const NewFile& part) {
    fetch_to(app, plan, disk, part);
    checked &= check_image(part.part(), "the restored disk '" + part.path().string() + "'");
    bytes += fs::file_size(part.part());
  };
  for (const auto& disk : plan.disks) {
    const auto& part = parts.emplace_back(plan.file(disk));
    if (!plan.is_raw(disk)) {
      fetch_part(disk, part);
      continue;
    }
    const NewFile packed{fs::path{part.path()}.replace_extension(".qcow2")};
    fetch_part(disk, packed);
    write_raw(packed.part(), part);
  }
  if (!machine.nvram.empty()) write_part(parts, plan.nvram(), machine.nvram);
  if (!machine.tpm.empty()) {
    tpm.emplace(swtpm_dir(app), machine.uuid, plan.tpm());
    write_part(parts, tpm->file(), machine.tpm);
  }
  if (with_domain) write_part(parts, plan.to / "domain.xml", machine.domain.xml);
  for (auto& part : parts) part.give_name();
  for (auto& part : parts) part.release();
  if (tpm) tpm->keep();
  directory.keep();

  for (const auto& part : parts) std::printf("%s\n", printable(part.path().string()).c_str());
  if (!checked) note("qemu-img is not here: the restored disks were not checked");
  note_left_out(plan, machine);
  if (tpm && !tpm->advice().empty()) note(tpm->advice());
  std::printf("image %d, increment %d: %s restored, %s in %s\n", plan.image.id, plan.last().id,
              count_text(plan.disks.size(), "disk").c_str(), size_text(bytes).c_str(),
              duration_text(std::time(nullptr) - begun).c_str());
  if (with_domain)
    std::printf(
        "virsh define %s    (where the original domain is gone: name and UUID are its own)\n",
        shell_quote((plan.to / "domain.xml").string()).c_str());
}

}  // namespace cli
