// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sftp_store.h"

#include <algorithm>

#include "common/one/running.h"
#include "datastore/rsync/lib/partial_name.h"
#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/sftp_flatten.h"
#include "datastore/rsync/lib/sftp_upload.h"
#include "datastore/rsync/lib/verify_chain.h"

namespace rsync {
namespace {

constexpr Terms to_undo{.silence = std::chrono::minutes{1}, .shielded = true};

}  // namespace

std::shared_ptr<Sftp> SftpStore::connect(Care care) {
  if (care == Care::undo)
    return std::make_shared<Sftp>(std::make_shared<Session>(settings().target, to_undo));
  return sessions_.open([](const auto& session) { return std::make_shared<Sftp>(session); });
}

Sftp& SftpStore::sftp(Care care) {
  if (care == Care::undo || !sftp_ || sftp_->session().broken()) sftp_ = connect(care);
  return *sftp_;
}

std::string SftpStore::path(int vm) const {
  return (settings().base / std::to_string(vm)).string();
}

Space SftpStore::space() {
  auto& server = sftp(Care::cancellable);
  server.make_directories(settings().base.string());
  return server.space(settings().base.string());
}

Store::Listing SftpStore::list(int vm, const std::vector<std::string>& names, Care care) {
  auto& server = sftp(care);
  auto wanted = names;
  if (wanted.empty())
    for (const auto& [name, info] : server.list(path(vm)))
      if (info.directory && is_backup_name(name)) wanted.push_back(name);
  Listing listing;
  for (const auto& name : wanted) {
    if (!is_backup_name(name)) throw BadRequest{"not the name of a backup"};
    if (auto files = rsync::files_of(server, path(vm) + "/" + name))
      listing[name] = *std::move(files);
  }
  return listing;
}

// On a channel of its own: several are read side by side, perhaps by several threads.
qcow2::Source SftpStore::open(int vm, const std::string& name, const std::string& file) {
  if (!is_backup_name(name) || !is_file_name(file)) throw BadRequest{"not a file of a backup"};
  const auto server = connect();
  const auto where = path(vm) + "/" + name + "/" + file;
  const auto info = server->look(where);
  if (!info || !info->regular)
    throw Error{"there is no file '" + where + "' on " + server->session().whom()};
  return whole_file(server, where, info->size);
}

void SftpStore::remove(int vm, const std::vector<std::string>& names, Care care) {
  auto& server = sftp(care);
  for (const auto& name : names)
    if (!is_backup_name(name)) throw BadRequest{"not the name of a backup"};
  const SftpPlace place{.directory = path(vm), .owner = owner_of_uploads()};
  for (const auto& name : names) {
    for (const char* suffix : {"", ".partial", ".flat", ".old"})
      server.remove_tree(place.final_path(name) + suffix);
    server.remove_tree(place.partial_path(name));
  }
  // There are no locks to tell what is dead: of our own we know, if nobody works on the VM.
  if (!workers(vm).empty()) return;
  for (const auto& [name, info] : server.list(place.directory))
    if (const auto found = PartialName::parse(name); found && found->owner == place.owner)
      server.remove_tree(place.directory + "/" + name);
  remove_dead_uploads(server, place);
}

qcow2::Source SftpStore::open_merged(int vm, const Chain& chain, int disk) {
  return SftpChain{connect(), path(vm), chain}.open(disk);
}

std::string SftpStore::flatten(int vm, const Chain& chain, int keep, const Texts& known) {
  return sftp_flatten(connect(), path(vm), chain, keep, known);
}

std::string SftpStore::verify(int vm, const Chain& chain, const std::string& depth,
                              const Texts& known) {
  const Backups backups{.files = [&](const std::string& name) -> std::optional<StoredChain::Sizes> {
                          auto found = list(vm, {name}, Care::cancellable);
                          if (found.empty()) return std::nullopt;
                          return std::move(found.at(name));
                        },
                        .open = [&](const std::string& name,
                                    const std::string& file) { return open(vm, name, file); },
                        .any = [&] { return !list(vm, {}, Care::cancellable).empty(); }};
  return verify_chain(chain, depth, known, backups);
}

}  // namespace rsync
