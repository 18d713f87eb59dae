// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/fetch.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "common/error.h"
#include "common/file.h"
#include "common/qcow2/image_file.h"
#include "drivers/cli/lib/meter.h"
#include "drivers/lib/work_dir.h"

namespace fs = std::filesystem;

namespace cli {
namespace {

bool is_full(int fd) {
  constexpr std::uint64_t nothing = 1 << 20;
  struct stat file {};
  struct statvfs info {};
  return fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && fstatvfs(fd, &info) == 0 &&
         static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize < nothing;
}

bool have_qemu_img() {
  const char* path = std::getenv("PATH");
  std::string_view rest{path ? path : ""};
  while (!rest.empty()) {
    const auto end = rest.find(':');
    if (access((fs::path{rest.substr(0, end)} / "qemu-img").c_str(), X_OK) == 0) return true;
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  }
  return false;
}

// What the driver may hold the disk against, while it is on its way.
void write_sums(const App& app, const DiskUrl& url, const fs::path& to) {
  const auto image = app.store().image_with(url);
  if (!image) return;
  for (const auto& [id, source] : url.chain.increments()) {
    const auto* known = image->increment(id);
    if (!known || known->source != source) continue;
    for (const auto& [file, sums] : app.store().sums(image->id, id)) write_file(to / file, sums);
  }
}

}  // namespace

void fetch(const App& app, const DiskUrl& url, int fd, const std::string& doing) {
  const state::WorkDir work{app.home()};
  write_sums(app, url, work.path());
  const auto finished = [&] {
    const ProgressDisplay display{work.path() / "progress"};
    return app.datastore_action(url.datastore_id, "downloader")
        .arg("--stream")
        .arg(url.text())
        .env("VMVAULT_PROGRESS", (work.path() / "progress").string())
        .env("VMVAULT_SUMS", work.path().string())
        .write_to(fd)
        .run();
  }();
  if (!finished.ok() && is_full(fd)) throw Error{doing + ": no space is left there"};
  insist(finished, doing);
}

bool check_image(const fs::path& file, const std::string& what) {
  check_header_of(file, what, Backing::refused);
  if (!have_qemu_img()) return false;
  check_whole(file, what);
  return true;
}

}  // namespace cli
