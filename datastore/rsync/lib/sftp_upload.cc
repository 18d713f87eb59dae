// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sftp_upload.h"

#include <algorithm>
#include <vector>

#include "common/error.h"

namespace rsync {
namespace {

constexpr std::string_view partial = ".partial";
// In turns: one of them is always whole.
constexpr const char* note_names[] = {".upload.0", ".upload.1"};
constexpr std::size_t longest_note = std::size_t{1} << 20;
constexpr std::size_t piece = std::size_t{1} << 20;
// Nothing is on its way while the server's disk is waited for: no more than a tenth of the time.
constexpr int rarely = 10;

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
  note_.key = upload_.key;
  write_note();
}

// The newest that can be read: what cannot was torn when the connection broke, or the server died.
std::optional<SftpNote> SftpUpload::note_in(const std::string& directory) {
  std::optional<SftpNote> newest;
  for (const char* name : note_names) {
    const auto file = directory + "/" + name;
    const auto info = sftp_.look(file);
    if (!info || !info->regular || info->size > longest_note) continue;
    auto found = SftpNote::decode(sftp_.read(file, longest_note));
    if (found && (!newest || found->serial > newest->serial)) newest = std::move(found);
  }
  return newest;
}

void SftpUpload::adopt_or_remove(const std::string& directory) {
  auto found = note_in(directory);
  if (!found || found->key != upload_.key || !note_.key.empty())
    return sftp_.remove_tree(directory);
  note_ = *std::move(found);
  if (directory != partial_) sftp_.rename(directory, partial_);
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

void SftpUpload::commit() {
  for (const char* name : note_names) sftp_.remove_tree(path(name));
  sftp_.sync_directory(partial_);
  sftp_.rename(partial_, directory_ + "/" + upload_.name);
  sftp_.sync_directory(directory_);
}

void SftpUpload::discard() { sftp_.remove_tree(partial_); }

}  // namespace rsync
