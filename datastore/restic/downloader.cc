// SPDX-License-Identifier: Apache-2.0
// Gives the bytes of a backed up disk, to downloader.sh of the core and to restores.

#include "datastore/lib/downloader.h"

#include <unistd.h>

#include <filesystem>

#include "common/cancel.h"
#include "common/error.h"
#include "common/one/action.h"
#include "common/one/core.h"
#include "common/one/location.h"
#include "datastore/restic/lib/download.h"
#include "datastore/restic/lib/raw_files.h"

namespace fs = std::filesystem;

namespace {

constexpr Contract contract{
    .name = "datastore/restic/downloader",
    .summary = "give the disks and documents of a backup",
    .args = "[OPTION] [NAME] [URL...]",
    .input = Input::none,
    .reply =
        "For C<URL> alone: two lines C<command=\"...\"> and C<clean_command=\"\"> for "
        "downloader.sh.  For "
        "C<--stream URL>: one qcow2 file with the merged disk.  For C<--file NAME URL>: a plain "
        "file of the "
        "backup, such as F<vm.xml>.  For C<--raw DIR URL...>: a line per disk, the path of its "
        "raw file in DIR, when it can be read.",
    .description =
        "Four forms: C<downloader URL>, C<downloader --stream URL>, C<downloader --file NAME "
        "URL> and C<downloader --raw DIR URL...>.  The last serves merged disks of one chain "
        "through "
        "FUSE (F<restic mount>, F<qemu-storage-daemon>), read-only and without a copy, until it "
        "gets "
        "a SIGTERM or its stdin, a pipe, ends.\n\n"
        "Also installed as F<datastore/restic_downloader.rb>.\n\n"
        "The datastore, with its password, is asked for from the core; the command that is printed "
        "holds no secret and may be run many times.\n\n"
        "Increments that vmvault wrote are merged on the way, without a copy.  A chain of files of "
        "random "
        "layout, as others write them, is merged below RESTIC_TMP_DIR (F</var/tmp>), and so is one "
        "of exports of "
        "rbd (F<disk.*.rbd2>, F<disk.*.rbdiff>), the legacy format of disks in Ceph.\n\n"
        "VMVAULT_SUMS in the environment may name a directory with the checksums of the capture "
        "(F<sums.E<lt>diskE<gt>.E<lt>incrementE<gt>>): increments that differ from them are "
        "refused on "
        "the way."};

restic::Restic open(const DiskUrl& url, const Datastore& datastore) {
  return {datastore, restic::repository_id(datastore, url), Machine{}};
}

DiskUrl parse(const std::string& text) {
  auto url = DiskUrl::parse(text);
  if (url.protocol == "restic" || url.protocol == "restic+rbd") return url;
  throw BadRequest{"not a URL of restic: " + url.protocol};
}

fs::path scratch_of(const Datastore& datastore) {
  return normal_path(datastore.attribute("RESTIC_TMP_DIR", "/var/tmp"));
}

std::string serve_raw(const std::vector<std::string>& words) {
  cancel::watch(STDIN_FILENO);
  std::vector<DiskUrl> urls;
  for (auto word = words.begin() + 2; word != words.end(); ++word) urls.push_back(parse(*word));
  const auto datastore = datastore_from_core(urls.front().datastore_id);
  restic::serve_raw_files(open(urls.front(), datastore), urls, normal_path(words[1]),
                          scratch_of(datastore));
  return "";
}

std::string download(const Request& request) {
  const auto& words = request.words();
  if (words.size() >= 3 && words[0] == "--raw") return serve_raw(words);
  const bool stream = words.size() == 2 && words[0] == "--stream";
  const bool file = words.size() == 3 && words[0] == "--file";
  if (!stream && !file && words.size() != 1)
    throw BadRequest{"expected URL, --stream URL, --file NAME URL or --raw DIR URL..."};
  const auto url = parse(words.back());
  const auto datastore = datastore_from_core(url.datastore_id);
  if (file) restic::write_document(open(url, datastore), url, words[1]);
  if (stream) restic::stream_disk(open(url, datastore), url, scratch_of(datastore));
  if (file || stream) return "";
  return download_command(
      {(remotes_root() / "datastore/restic/downloader").string(), "--stream", url.text()});
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, download); }
