// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sftp_upload.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "common/error.h"

using nlohmann::json;

namespace rsync {
namespace {

constexpr std::string_view partial = ".partial";
constexpr const char* note_name = ".upload";
constexpr std::size_t longest_note = std::size_t{1} << 20;
constexpr std::size_t piece = std::size_t{1} << 20;
constexpr std::uint64_t between_notes = std::uint64_t{256} << 20;

struct Note {
  std::string key;
  std::map<std::string, std::uint64_t> durable;
};

// What cannot be read was torn when the server died: nothing is known then.
Note decode(std::string_view text) try {
  const auto document = json::parse(text);
  return {document.at("key").get<std::string>(),
          document.at("durable").get<std::map<std::string, std::uint64_t>>()};
} catch (const json::exception&) {
  return {};
}

}  // namespace

SftpUpload::SftpUpload(Sftp& sftp, const std::string& base, int vm, Upload upload)
    : sftp_{sftp},
      directory_{base + "/" + std::to_string(vm)},
      partial_{directory_ + "/" + upload.name + std::string{partial}},
      upload_{std::move(upload)} {
  if (!is_backup_name(upload_.name)) throw BadRequest{"not the name of a backup"};
  sftp_.make_directories(directory_);
  for (const auto& [name, info] : sftp_.list(directory_))
    if (info.directory && name.ends_with(partial)) adopt_or_remove(directory_ + "/" + name);
  sftp_.make_directories(partial_);
  note(note_name, 0);
}

void SftpUpload::adopt_or_remove(const std::string& directory) {
  const auto file = directory + "/" + note_name;
  const auto info = sftp_.look(file);
  Note found;
  if (info && info->regular) found = decode(sftp_.read(file, longest_note));
  if (found.key != upload_.key || !durable_.empty()) return sftp_.remove_tree(directory);
  durable_ = std::move(found.durable);
  if (directory != partial_) sftp_.rename(directory, partial_);
}

std::uint64_t SftpUpload::had(const std::string& file) const {
  const auto it = durable_.find(file);
  return it == durable_.end() ? 0 : it->second;
}

void SftpUpload::note(const std::string& file, std::uint64_t durable) {
  durable_[file] = durable;
  sftp_.write(path(note_name), json{{"key", upload_.key}, {"durable", durable_}}.dump());
}

void SftpUpload::put(const UploadFile& file, std::uint64_t from, const Source& source,
                     const OnBytes& on_bytes) {
  if (!is_file_name(file.name)) throw BadRequest{"not the name of a file of a backup"};
  if (from > had(file.name)) throw Error{"nobody knows the begin of '" + file.name + "'"};
  auto there = sftp_.create(path(file.name), from);
  std::vector<std::byte> buffer(piece);
  std::uint64_t at = from, noted = from;
  while (const auto n = source(buffer)) {
    if (n > file.size - at) throw Error{"'" + file.name + "' has grown while it was sent"};
    there.write(std::span{buffer}.first(n));
    at += n;
    if (on_bytes) on_bytes(n);
    if (at - noted < between_notes) continue;
    noted = at;
    if (there.sync()) note(file.name, at);
  }
  if (at != file.size) throw Error{"'" + file.name + "' has become shorter while it was sent"};
  there.flush();
  if (upload_.archive) there.set_attributes(file.mode, file.mtime_ns / 1'000'000'000);
  if (there.sync()) note(file.name, at);
  const auto info = sftp_.look(path(file.name));
  if (!info || info->size != file.size)
    throw Error{"'" + file.name + "' has not arrived whole on " + sftp_.session().whom()};
}

void SftpUpload::commit() {
  sftp_.remove_tree(path(note_name));
  sftp_.sync_directory(partial_);
  sftp_.rename(partial_, directory_ + "/" + upload_.name);
  sftp_.sync_directory(directory_);
}

void SftpUpload::discard() { sftp_.remove_tree(partial_); }

}  // namespace rsync
