// SPDX-License-Identifier: Apache-2.0
#include "drivers/cli/lib/download.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "common/error.h"
#include "common/mount.h"
#include "common/number.h"
#include "drivers/cli/lib/display.h"
#include "drivers/cli/lib/fetch.h"
#include "drivers/cli/lib/new_file.h"
#include "drivers/cli/lib/restore_point.h"

namespace fs = std::filesystem;

namespace cli {
namespace {

struct Source {
  DiskUrl url;
  std::optional<state::Reading> reading;  // an image of ours
};

Source source_of(const App& app, const DownloadOptions& options) {
  if (options.what.find("://") != options.what.npos) {
    if (options.disk || options.increment)
      throw BadRequest{
          "a URL names disk and increment itself: --disk and --increment are for an image"};
    auto url = DiskUrl::parse(options.what);
    const auto image = app.store().image_with(url);
    return {std::move(url), image ? reading_of(app, image->id) : std::nullopt};
  }
  const auto image = parse_int(options.what, 0);
  if (!image) throw BadRequest{"neither an image nor a URL: '" + printable(options.what) + "'"};
  auto point = restore_point(app, *image, options.increment, options.disk);
  if (point.disks.size() > 1)
    throw BadRequest{point.name() + " has " + count_text(point.disks.size(), "disk") +
                     ": choose one with --disk ('vmvault show " + options.what + "' lists them)"};
  return {point.url(point.disks.at(0)), std::move(point.reading)};
}

}  // namespace

void download(App& app, const DownloadOptions& options) {
  const auto [url, reading] = source_of(app, options);
  if (options.to.empty()) {
    if (isatty(STDOUT_FILENO) == 1)
      throw BadRequest{"a disk is nothing for a terminal: name a file (--to), or redirect"};
    fetch(app, url, STDOUT_FILENO, "cannot read the disk");
    return;
  }
  const auto to = fs::absolute(options.to).lexically_normal();
  const auto name = "'" + to.string() + "'";
  if (fs::symlink_status(to).type() != fs::file_type::not_found)
    throw Error{"nothing is overwritten, and there is already " + name};
  NewFile file{to};
  fetch(app, url, file.fd(), "cannot download the disk to " + name);
  if (fsync(file.fd()) != 0) throw system_error("write " + name, errno);
  if (!check_image(file.part(), "the disk in " + name))
    note("qemu-img is not here: the disk was not checked");
  file.give_name();
  file.release();
  std::printf("%s\n", printable(file.path().string()).c_str());
}

void mount(App& app, const MountOptions& options) {
  const auto point = restore_point(app, options.image, options.increment, options.disk);
  const auto dir = fs::absolute(options.dir).lexically_normal();
  const NewDirectory made{dir};
  if (const auto why = no_fuse_because(); !why.empty())
    throw Error{"cannot serve the disks of " + point.name() + ": " + why};
  auto command = point.downloader(app);
  command.arg("--raw").arg(dir.string());
  for (const auto& disk : point.disks) command.arg(point.url(disk).text());
  command.hold_input().out_lines([&](std::string_view line) {
    std::printf("%s\n", printable(line).c_str());
    std::fflush(stdout);
  });
  try {
    insist(command.run(), "cannot serve the disks of " + point.name());
  } catch (const Cancelled&) {
  }
}

}  // namespace cli
