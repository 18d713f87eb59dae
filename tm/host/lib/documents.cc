// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/documents.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <thread>

#include "common/command.h"
#include "common/error.h"
#include "common/file.h"
#include "common/one/action.h"
#include "common/one/machine_state.h"

namespace fs = std::filesystem;

namespace host {
namespace {

// OpenNebula's (contract 3.2): sudoers list it by this path.
constexpr const char* vtpm_setup = "/var/tmp/one/vtpm_setup";
constexpr std::chrono::seconds sudo_deadline{5};

bool is_name(const std::string& text) {
  return !text.empty() && text != "." && text != ".." && text.find('/') == text.npos;
}

// The directory belongs to swtpm's or qemu's user: a link in it could lead root anywhere.
Fd open_plain(const fs::path& dir, const fs::path& file) {
  Fd at = open_file(dir, O_RDONLY | O_DIRECTORY);
  for (auto part = file.begin(); part != file.end(); ++part) {
    const bool last = std::next(part) == file.end();
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (last ? O_NONBLOCK : O_DIRECTORY);
    Fd next{openat(at.get(), part->c_str(), flags)};
    if (!next) throw system_error("read '" + (dir / file).string() + "'", errno);
    at = std::move(next);
  }
  return at;
}

constexpr std::chrono::milliseconds between_reads{20};

std::string read_once(const fs::path& dir, const fs::path& file, std::size_t largest) {
  const Fd fd = open_plain(dir, file);
  const auto path = "'" + (dir / file).string() + "'";
  struct stat info;
  if (fstat(fd.get(), &info) != 0) throw system_error("read " + path, errno);
  if (!S_ISREG(info.st_mode)) throw Error{path + " is not a plain file"};
  std::string out;
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n == -1) throw system_error("read " + path, errno);
    if (n == 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > largest) throw Error{path + " is larger than such files are"};
  }
}

// Twice the same: nobody was writing, unless he took a rest of that length in the middle of it.
std::string read_stable(const fs::path& dir, const fs::path& file, std::size_t largest) {
  std::string last = read_once(dir, file, largest);
  for (int tries = 0; tries < 10; ++tries) {
    std::this_thread::sleep_for(between_reads);
    std::string now = read_once(dir, file, largest);
    if (now == last) {
      if (now.empty()) throw Error{"'" + (dir / file).string() + "' is empty"};
      return now;
    }
    last = std::move(now);
  }
  throw Error{"'" + (dir / file).string() + "' is being written all the time"};
}

bool sudo_lists_vtpm_setup() {
  try {
    const auto list = Command{"sudo", "-n", "-l"}.deadline(sudo_deadline).run();
    return list.ok() && list.out.find("/vtpm_setup") != list.out.npos;
  } catch (const Cancelled&) {
    throw;
  } catch (const Error&) {
    return false;  // there is no sudo, or it asks somebody who does not answer
  }
}

bool readable(const fs::path& dir, const fs::path& file) {
  try {
    return static_cast<bool>(open_plain(dir, file));
  } catch (const Error&) {
    return false;
  }
}

// OpenNebula gives the NVRAM's file to libvirt by the name <vm dir>/<deploy id>_VARS.fd.
std::optional<fs::path> only_nvram_in(const fs::path& vm_dir) {
  std::optional<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{vm_dir, error}) {
    if (!entry.path().filename().string().ends_with("_VARS.fd")) continue;
    if (found) return std::nullopt;
    found = entry.path();
  }
  return found;
}

std::optional<timespec> modified(const fs::path& file) {
  struct stat info;
  if (lstat(file.c_str(), &info) != 0) return std::nullopt;
  return info.st_mtim;
}

template <class Read>
Kept keep(const char* what, const char* name, const Read& read) {
  Kept out{.what = what, .name = name, .bytes = {}, .why = {}};
  try {
    out.bytes = read();
  } catch (const Cancelled&) {
    throw;
  } catch (const Error& e) {
    out.why = e.what();
    log(Level::warn, "the " + out.what + " is not in the backup: " + out.why);
  }
  return out;
}

}  // namespace

Keeps Keeps::of(const XmlNode& domain) {
  Keeps out;
  out.uuid = domain.find("uuid").value_or("");
  out.name = domain.find("name").value_or("");
  out.tpm = domain.first("devices/tpm/backend[@type='emulator']").has_value();
  out.store = domain.find("os/nvram/source/@file").value_or("");
  if (out.store.empty()) out.store = domain.find("os/nvram").value_or("");
  out.nvram =
      domain.first("os/nvram | os[@firmware = 'efi'][not(loader/@stateless = 'yes')]").has_value();
  return out;
}

MachineFiles::MachineFiles(const HostRequest& request, Keeps keeps)
    : request_{request}, keeps_{std::move(keeps)} {
  keeps_.tpm = keeps_.tpm || request.vm.has_tpm;
  if (keeps_.uuid.empty()) {
    keeps_.uuid = request.vm.deploy_id;  // of OpenNebula's machines it is the UUID
    if (const auto file = only_nvram_in(request.vm_dir)) {
      keeps_.nvram = true;
      keeps_.store = *file;
    }
  }
  if (keeps_.nvram && keeps_.store.empty())
    keeps_.store =
        machine_state::default_nvram_dir(request.libvirt_uri) / (keeps_.name + "_VARS.fd");
  by_sudo_ = keeps_.tpm && geteuid() != 0 && is_name(keeps_.uuid) &&
             !readable(tpm_dir(), machine_state::tpm_file) && sudo_lists_vtpm_setup();
}

std::vector<Kept> MachineFiles::read() const {
  std::vector<Kept> out;
  if (keeps_.tpm)
    out.push_back(keep(machine_state::tpm, machine_state::tpm_document, [&] {
      return machine_state::pack_tpm(by_sudo_ ? read_by_sudo() : read_tpm());
    }));
  if (keeps_.nvram)
    out.push_back(keep(machine_state::nvram, machine_state::nvram_document, [&] {
      return read_stable(keeps_.store.parent_path(), keeps_.store.filename(),
                         machine_state::largest_nvram);
    }));
  return out;
}

fs::path MachineFiles::tpm_dir() const {
  const fs::path all = request_.setting(
      "SWTPM_DIR", machine_state::default_swtpm_dir(request_.libvirt_uri).string());
  return all / keeps_.uuid;
}

std::string MachineFiles::read_tpm() const {
  if (!is_name(keeps_.uuid)) throw Error{"the domain has no UUID that could name a directory"};
  // Of a machine that is off, only OpenNebula's copy may be left: libvirt removes its own with
  // a domain.
  const fs::path copy = request_.vm_dir / "tpm";
  if (!request_.live && !readable(tpm_dir(), machine_state::tpm_file) &&
      readable(copy, "tpm2-00.permall"))
    return read_stable(copy, "tpm2-00.permall", machine_state::largest_tpm);
  return read_stable(tpm_dir(), machine_state::tpm_file, machine_state::largest_tpm);
}

// It leaves its copy in <vm dir>/tpm, which is OpenNebula's to keep.
std::string MachineFiles::read_by_sudo() const {
  const fs::path copy = request_.vm_dir / "tpm/tpm2-00.permall";
  const auto before = modified(copy);
  Command{"sudo", "-n", vtpm_setup, "backup", request_.vm.deploy_id, request_.vm_dir.string()}
      .deadline(sudo_deadline)
      .output();
  const auto after = modified(copy);
  const bool made =
      after && (!before || before->tv_sec != after->tv_sec || before->tv_nsec != after->tv_nsec);
  if (!made && request_.live)
    throw Error{std::string{vtpm_setup} + " did not copy the state to '" + copy.string() + "'"};
  return read_stable(copy.parent_path(), copy.filename(), machine_state::largest_tpm);
}

}  // namespace host
