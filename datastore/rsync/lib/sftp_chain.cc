// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sftp_chain.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "datastore/lib/chain_layers.h"
#include "datastore/lib/checked_read.h"
#include "datastore/rsync/lib/protocol.h"

using nlohmann::json;

namespace rsync {
namespace {

constexpr std::size_t longest_document = std::size_t{1} << 20;
constexpr int most_looks = 5;  // a flatten may end between two of them, but not at each

std::string disk_file(int disk, int increment) {
  return "disk." + std::to_string(disk) + "." + std::to_string(increment);
}

qcow2::ReadAt reader(const std::shared_ptr<SftpFile>& file, std::uint64_t size) {
  return [file, size](std::uint64_t offset, std::span<std::byte> out) {
    if (offset >= size) return std::size_t{0};
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size - offset));
    file->read_at(offset, out.first(n));
    return n;
  };
}

}  // namespace

std::optional<std::map<std::string, std::uint64_t>> files_of(Sftp& sftp,
                                                             const std::string& directory) {
  const auto info = sftp.look(directory);
  if (!info || !info->directory) return std::nullopt;
  std::map<std::string, std::uint64_t> files;
  for (const auto& [name, one] : sftp.list(directory))
    if (one.regular && is_file_name(name)) files[name] = one.size;
  return files;
}

qcow2::Source whole_file(std::shared_ptr<Sftp> sftp, const std::string& path, std::uint64_t size) {
  const auto file = std::make_shared<SftpFile>(sftp->open(path));
  return [sftp = std::move(sftp), file, path, left = size](std::span<std::byte> out) mutable {
    const auto n = file->read(out);
    if (n > left || (n == 0 && !out.empty() && left != 0))
      throw Error{"'" + path + "' on " + sftp->session().whom() + " has not the size that it had"};
    left -= n;
    return n;
  };
}

std::optional<Chain> flat_chain(Sftp& sftp, const std::string& directory) try {
  const auto path = directory + "/" + sftp_flat_document;
  if (!sftp.look(path)) return std::nullopt;
  return Chain::parse(
      json::parse(sftp.read(path, longest_document)).at("chain").get<std::string>());
} catch (const json::exception&) {
  throw Error{"'" + directory + "/" + sftp_flat_document + "' is damaged"};
}

std::string flat_text(const Chain& chain) { return json{{"chain", chain.text()}}.dump() + "\n"; }

SftpChain::SftpChain(std::shared_ptr<Sftp> sftp, std::string directory, const Chain& chain)
    : sftp_{std::move(sftp)}, directory_{std::move(directory)} {
  std::string missing;
  for (int i = 0; i < most_looks; ++i)
    if (look(chain, missing)) return;
  throw Error{"there is no '" + missing + "' on " + sftp_->session().whom()};
}

bool SftpChain::look(const Chain& chain, std::string& missing) {
  parts_.clear();
  const auto& all = chain.increments();
  for (auto one = all.rbegin(); one != all.rend(); ++one) {
    if (!is_backup_name(one->source)) throw BadRequest{"not the name of a backup"};
    const auto path = directory_ + "/" + one->source;
    auto files = files_of(*sftp_, path);
    if (!files) {
      missing = path;
      return false;
    }
    const bool begins = files->contains(sftp_flat_document);
    parts_.insert(parts_.begin(), {*one, path, *std::move(files)});
    if (begins) break;
  }
  return true;
}

std::vector<int> SftpChain::disks() const {
  const auto& last = parts_.back();
  std::vector<int> disks;
  for (const auto& [name, size] : last.files)
    if (const auto disk = disk_in(name, last.increment.id)) disks.push_back(*disk);
  return disks;
}

std::string SftpChain::file_of(const Part& part, int disk) const {
  for (const auto& name : names_of_disk(disk, part.increment.id))
    if (part.files.contains(name)) return name;
  throw Error{"there is no '" + part.directory + "/" + disk_file(disk, part.increment.id) +
              "' on " + sftp_->session().whom()};
}

PartFile SftpChain::part_file(const Part& part, const std::string& file) const {
  return {.file = file,
          .path = part.directory + "/" + file,
          .size = part.files.at(file),
          .first = &part == &parts_.front(),
          .flat = part.files.contains(sftp_flat_document),
          .size_of = [&part](const std::string& beside) -> std::optional<std::uint64_t> {
            const auto found = part.files.find(beside);
            if (found == part.files.end()) return std::nullopt;
            return found->second;
          },
          .read =
              [this, &part](const std::string& beside, std::size_t most) {
                return sftp_->read(part.directory + "/" + beside, most);
              }};
}

qcow2::ReadAt SftpChain::reader_of(const Part& part, const std::string& file) const {
  return reader(std::make_shared<SftpFile>(sftp_->open(part.directory + "/" + file)),
                part.files.at(file));
}

qcow2::Merge SftpChain::merge(int disk, qcow2::Hidden hidden) const {
  std::vector<qcow2::Layer> layers;
  for (const auto& part : parts_) {
    const auto name = file_of(part, disk);
    add_layers(layers, reader_of(part, name), part.files.at(name), part.directory + "/" + name);
  }
  return qcow2::Merge{std::move(layers), hidden};
}

SftpChain::CheckedMerge SftpChain::checked_merge(int disk, qcow2::Hidden hidden,
                                                 const Texts& known) const {
  std::vector<qcow2::Layer> layers;
  bool proven = true;
  for (const auto& part : parts_) {
    const auto name = file_of(part, disk), path = part.directory + "/" + name;
    auto read = reader_of(part, name);
    auto sums = sums_of(part_file(part, name), known);
    proven = proven && sums;
    if (sums) read = checked(std::move(read), part.files.at(name), *std::move(sums), path);
    add_layers(layers, read, part.files.at(name), path);
  }
  return {.merge = qcow2::Merge{std::move(layers), hidden}, .proven = proven};
}

qcow2::Source SftpChain::open(int disk) const {
  const std::shared_ptr<qcow2::Merge> merged{
      new qcow2::Merge(merge(disk, qcow2::Hidden::left_out))};
  return [sftp = sftp_, merged, at = std::uint64_t{0}](std::span<std::byte> out) mutable {
    const auto n = static_cast<std::size_t>(
        std::min<std::uint64_t>(out.size(), merged->plan().file_size() - at));
    merged->read(at, out.first(n));
    at += n;
    return n;
  };
}

}  // namespace rsync
