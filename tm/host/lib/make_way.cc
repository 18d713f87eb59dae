// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/make_way.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 (Debian 12) forgets to say this itself
}

#include "common/file.h"
#include "common/one/xml.h"
#include "tm/host/lib/guard.h"
#include "tm/host/lib/image_lock.h"
#include "tm/host/lib/journal.h"
#include "tm/host/lib/register.h"

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace host {
namespace {

constexpr std::chrono::milliseconds tick{10};
// Between two looks at the images by a backup that has not begun to change them.
constexpr std::chrono::milliseconds calm{300};

using Images = std::set<fs::path>;

Images images_of(std::string_view domain_xml) {
  Images out;
  const Xml xml = Xml::from_libvirt(domain_xml);
  for (const auto& disk : xml.root().find_all("devices/disk/source")) {
    const auto file = disk.attribute("file");
    std::error_code error;
    if (const auto real = fs::canonical(file.value_or(""), error); !error) out.insert(real);
  }
  return out;
}

// Those that the backup in this directory may hold.
Images shared_with(const fs::path& vm_dir, const Images& images) {
  Images out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{vm_dir, error}) {
    if (!entry.path().filename().string().starts_with("disk.")) continue;
    if (const auto real = fs::canonical(entry.path(), error); !error && images.contains(real))
      out.insert(real);
  }
  return out;
}

// Does that process have the VM's lock?  No other one is meant, whatever number it has.
bool has_open(pid_t pid, const fs::path& file) {
  struct stat wanted, found;
  if (stat(file.c_str(), &wanted) != 0) return false;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{"/proc/" + std::to_string(pid) + "/fd", error})
    if (stat(entry.path().c_str(), &found) == 0 && found.st_ino == wanted.st_ino &&
        found.st_dev == wanted.st_dev)
      return true;
  return false;
}

void tell(pid_t guard, const fs::path& lock) {
  const Fd process{guard > 0 ? pidfd_open(guard, 0) : -1};
  if (process && has_open(guard, lock)) pidfd_send_signal(process.get(), vm_starts, nullptr, 0);
}

void end_backup(const fs::path& vm_dir, const Images& images, Clock::time_point until) {
  const fs::path lock = vm_dir / "backup.lock";
  bool told = false;
  auto free_since = Clock::now();
  for (; Clock::now() < until; std::this_thread::sleep_for(tick)) {
    if (!fs::exists(lock) || FileLock::try_lock(lock)) return;
    const auto journal = Journal::load(vm_dir);
    if (!journal) continue;  // it has just begun, or is about to end
    if (journal->boot_id != boot_id() || !journal->at_rest) return;
    const bool used = std::any_of(images.begin(), images.end(), is_open_in_qemu);
    if (used) free_since = Clock::now();
    const bool exported = journal->exporter > 0;  // which opens no image again
    if (exported && !used) return;
    // From here on it undoes, which takes the images once more, and then the lock is free.  Before,
    // it may be waiting for libvirt, which waits for us.
    if (!exported && told && journal->scratch.empty() && free_since < Clock::now() - calm) return;
    if (!told) tell(journal->guard, lock);
    told = true;
  }
}

}  // namespace

void make_way(std::string_view domain_xml, std::chrono::milliseconds limit) {
  const auto until = Clock::now() + limit;
  const auto vm_dirs = entered();
  if (vm_dirs.empty()) return;
  const auto images = images_of(domain_xml);
  for (const auto& vm_dir : vm_dirs)
    if (const auto shared = shared_with(vm_dir, images); !shared.empty())
      end_backup(vm_dir, shared, until);
}

}  // namespace host
