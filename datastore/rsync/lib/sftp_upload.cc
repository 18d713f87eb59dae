// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sftp_upload.h"

#include <algorithm>
#include <map>
#include <vector>

#include "common/error.h"
#include "datastore/rsync/lib/partial_name.h"
#include "datastore/rsync/lib/sftp_chain.h"

namespace rsync {
namespace {

// In turns: one of them is always whole.
constexpr const char* note_names[] = {".upload.0", ".upload.1"};
constexpr std::size_t longest_note = std::size_t{1} << 20;
constexpr std::size_t piece = std::size_t{1} << 20;
// Nothing is on its way while the server's disk is waited for: no more than a tenth of the time.
constexpr int rarely = 10;

// The newest that can be read: what cannot was torn when the connection broke, or the server died.
std::optional<SftpNote> note_in(Sftp& sftp, const std::string& directory) {
  std::optional<SftpNote> newest;
  for (const char* name : note_names) {
    const auto file = directory + "/" + name;
    const auto info = sftp.look(file);
    if (!info || !info->regular || info->size > longest_note) continue;
    auto found = SftpNote::decode(sftp.read(file, longest_note));
    if (found && (!newest || found->serial > newest->serial)) newest = std::move(found);
  }
  return newest;
}

void require_whole(Sftp& sftp, const std::string& directory, const Upload& upload) {
  std::map<std::string, std::uint64_t> wanted;
  for (const auto& file : upload.files) wanted[file.name] = file.size;
  if (files_of(sftp, directory) != wanted)
    throw Error{"'" + directory + "' on " + sftp.session().whom() +
                " does not hold what was uploaded: somebody else has changed it"};
}

// A file gets an old time when it is whole; but then there is always a newer one, or the directory.
bool is_dead(Sftp& sftp, const std::string& directory, const Sftp::Info& info, std::int64_t now) {
  const auto old = [&](std::int64_t mtime) {
    return mtime != 0 && mtime < now - seconds_until_dead;
  };
  if (!old(info.mtime)) return false;
  const auto inside = sftp.list(directory);
  return std::all_of(inside.begin(), inside.end(),
                     [&](const auto& one) { return old(one.second.mtime); });
}

}  // namespace

std::string SftpPlace::partial_path(const std::string& name) const {
  return directory + "/" + PartialName{.name = name, .owner = owner}.text();
}

SftpUpload::SftpUpload(Sftp& sftp, SftpPlace place, Upload upload)
    : sftp_{sftp},
      place_{std::move(place)},
      partial_{place_.partial_path(upload.name)},
      upload_{std::move(upload)} {
  if (!is_backup_name(upload_.name)) throw BadRequest{"not the name of a backup"};
  sftp_.make_directories(place_.directory);
  for (const auto& [name, info] : sftp_.list(place_.directory)) {
    const auto found = PartialName::parse(name);
    if (!found || !info.directory) continue;
    const auto directory = place_.directory + "/" + name;
    if (found->owner == place_.owner) {
      if (!adopt(directory)) sftp_.remove_tree(directory);
    } else if (found->owner.empty()) {
      adopt(directory);  // only we have these very files
    }
  }
  sftp_.make_directories(partial_);
  note_.key = upload_.key;
  write_note();
  remove_dead_uploads(sftp_, place_);
}

bool SftpUpload::adopt(const std::string& directory) {
  if (!note_.key.empty()) return false;
  auto found = note_in(sftp_, directory);
  if (!found || found->key != upload_.key) return false;
  if (directory != partial_) sftp_.rename(directory, partial_);
  note_ = *std::move(found);
  return true;
}

std::optional<SftpNote::File> SftpUpload::noted(const std::string& file) const {
  const auto it = note_.files.find(file);
  if (it == note_.files.end()) return std::nullopt;
  return it->second;
}

bool SftpUpload::holds(const std::string& file, std::uint64_t end,
                       std::span<const std::byte> bytes) {
  const auto info = sftp_.look(path(file));
  if (!info || !info->regular || info->size < end || end < bytes.size()) return false;
  std::vector<std::byte> there(bytes.size());
  auto opened = sftp_.open(path(file));
  opened.read_at(end - bytes.size(), there);
  return std::equal(there.begin(), there.end(), bytes.begin(), bytes.end());
}

// The other one still says what was true before.
void SftpUpload::write_note() {
  ++note_.serial;
  sftp_.write(path(note_names[note_.serial % std::size(note_names)]), note_.encode());
}

void SftpUpload::note(SftpFile& there, const std::string& file, const PrefixSum& sum) {
  const auto begin = Clock::now();
  if (there.sync()) {
    note_.files[file] = {.size = sum.size(), .sum = sum.sum()};
    write_note();
  }
  noted_at_ = Clock::now();
  cost_ = noted_at_ - begin;
}

void SftpUpload::put(const UploadFile& file, PrefixSum sum, const Source& source,
                     const OnBytes& on_bytes) {
  if (!is_file_name(file.name)) throw BadRequest{"not the name of a file of a backup"};
  if (sum.size() == 0 && note_.files.erase(file.name) != 0) write_note();
  auto there = sftp_.create(path(file.name), sum.size());
  std::vector<std::byte> buffer(piece);
  for (;;) {
    const auto to_step = PrefixSum::step - sum.size() % PrefixSum::step;
    const auto n = source(std::span{buffer}.first(std::min(buffer.size(), to_step)));
    if (n == 0) break;
    if (n > file.size - sum.size()) throw Error{"'" + file.name + "' has grown while it was sent"};
    there.write(std::span{buffer}.first(n));
    sum.add(std::span{buffer}.first(n));
    if (on_bytes) on_bytes(n);
    if (n == to_step && sum.size() != file.size && Clock::now() - noted_at_ >= rarely * cost_)
      note(there, file.name, sum);
  }
  if (sum.size() != file.size)
    throw Error{"'" + file.name + "' has become shorter while it was sent"};
  there.flush();
  if (upload_.archive) there.set_attributes(file.mode, file.mtime_ns / 1'000'000'000);
  note(there, file.name, sum);
  const auto info = sftp_.look(path(file.name));
  if (!info || info->size != file.size)
    throw Error{"'" + file.name + "' has not arrived whole on " + sftp_.session().whom()};
}

// The note stays until the name is known to be ours: whoever does not hear of the rename, asks it.
void SftpUpload::commit() {
  require_whole(sftp_, partial_, upload_);
  sftp_.sync_directory(partial_);
  sftp_.rename(partial_, place_.final_path(upload_.name));
}

bool SftpUpload::committed(Sftp& sftp, const std::string& directory, const Upload& upload) {
  const auto note = note_in(sftp, directory);
  return note && note->key == upload.key;
}

// Nobody takes away any more what had no name yet: so what is there now, stays.
void SftpUpload::settle(Sftp& sftp, const std::string& directory, const Upload& upload) {
  require_whole(sftp, directory, upload);
  sftp.sync_directory(directory.substr(0, directory.rfind('/')));
  for (const char* name : note_names) sftp.remove_tree(directory + "/" + name);
  sftp.sync_directory(directory);
}

// What we have just made or renamed in there has told the directory what time it is; if we have
// not, fewer look dead.
void remove_dead_uploads(Sftp& sftp, const SftpPlace& place) {
  const auto here = sftp.look(place.directory);
  if (!here) return;
  for (const auto& [name, info] : sftp.list(place.directory)) {
    const auto found = PartialName::parse(name);
    if (!found || !info.directory || found->owner == place.owner) continue;
    const auto directory = place.directory + "/" + name;
    try {
      if (is_dead(sftp, directory, info, here->mtime)) sftp.remove_tree(directory);
    } catch (const SftpRefused&) {  // it may be of another account
    }
  }
}

}  // namespace rsync
