// SPDX-License-Identifier: Apache-2.0
// Gives the bytes of a backed up disk, to downloader.sh of the core and to restores.

#include "datastore/lib/downloader.h"

#include <unistd.h>

#include "common/cancel.h"
#include "common/error.h"
#include "common/one/action.h"
#include "common/one/core.h"
#include "common/one/location.h"
#include "datastore/rsync/lib/download.h"
#include "datastore/rsync/lib/raw_disks.h"

namespace {

constexpr Contract contract{
    .name = "datastore/rsync/downloader",
    .summary = "give the disks and documents of a backup",
    .args = "[OPTION] [NAME] [URL...]",
    .input = Input::none,
    .reply =
        "For C<URL> alone: two lines C<command=\"...\"> and C<clean_command=\"\"> for "
        "downloader.sh.  For C<--stream URL>: one qcow2 file with the merged disk.  For C<--file "
        "NAME URL>: a plain file of the backup, such as F<vm.xml>.  For C<--raw DIR URL...>: a "
        "line per disk, the path of its raw file in DIR, when it can be read.",
    .description =
        "Four forms: C<downloader URL>, C<downloader --stream URL>, C<downloader --file NAME URL> "
        "and C<downloader --raw DIR URL...>.  The last serves merged disks of one chain through "
        "FUSE (F<qemu-storage-daemon>), read-only, until it gets a SIGTERM or its stdin, a pipe, "
        "ends.  From another machine than this one, the merged disks are copied to RSYNC_TMP_DIR "
        "for it first.\n\n"
        "Also installed as F<datastore/rsync_downloader.rb>.\n\n"
        "The datastore is asked for from the core; the command that is printed may be run many "
        "times, and prepares nothing anywhere.  Chains are merged on the way, and nothing on the "
        "server is changed.\n\n"
        "VMVAULT_SUMS in the environment may name a directory with the checksums of the capture "
        "(F<sums.E<lt>diskE<gt>.E<lt>incrementE<gt>>): increments that differ from them are "
        "refused on the way."};

DiskUrl parse(const std::string& text) {
  auto url = DiskUrl::parse(text);
  if (url.protocol == "rsync" || url.protocol == "rsync+rbd") return url;
  throw BadRequest{"not a URL of rsync: " + url.protocol};
}

rsync::Settings settings_of(const DiskUrl& url) {
  return rsync::Settings{datastore_from_core(url.datastore_id)};
}

std::string serve_raw(const std::vector<std::string>& words) {
  cancel::watch(STDIN_FILENO);
  std::vector<DiskUrl> urls;
  for (auto word = words.begin() + 2; word != words.end(); ++word) urls.push_back(parse(*word));
  rsync::with_store(settings_of(urls.front()), [&](rsync::Store& store) {
    rsync::serve_raw_disks(store, urls, normal_path(words[1]));
  });
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
  if (file || stream) {
    rsync::with_store(settings_of(url), [&](rsync::Store& store) {
      file ? rsync::write_document(store, url, words[1]) : rsync::stream_disk(store, url);
    });
    return "";
  }
  settings_of(url);  // what is wrong with the datastore is told now
  return download_command(
      {(remotes_root() / "datastore/rsync/downloader").string(), "--stream", url.text()});
}

}  // namespace

int main(int argc, char** argv) { return run_action(contract, argc, argv, download); }
