// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/sftp_flatten.h"

#include <algorithm>
#include <map>
#include <optional>

#include "common/one/flat_result.h"
#include "common/one/sums_file.h"
#include "common/sums.h"
#include "datastore/lib/chain_layers.h"
#include "datastore/rsync/lib/protocol.h"

namespace rsync {
namespace {

constexpr std::size_t piece = std::size_t{1} << 20;

bool contains(const Chain& chain, const Increment& one) {
  const auto& all = chain.increments();
  return std::find(all.begin(), all.end(), one) != all.end();
}

class Flatten {
 public:
  Flatten(std::shared_ptr<Sftp> sftp, std::string directory, const Chain& chain, int keep,
          const Texts& known)
      : sftp_{std::move(sftp)}, directory_{std::move(directory)}, known_{known} {
    const auto& all = chain.increments();
    for (const auto& one : all)
      if (!is_backup_name(one.source)) throw BadRequest{"not the name of a backup"};
    for (const auto& one : all) finish_exchange(path(one.source));
    const auto wanted = static_cast<std::size_t>(std::max(keep, 1));
    if (all.size() <= wanted) throw Error{"the chain has nothing to be merged"};
    std::size_t count = all.size() - wanted + 1;
    // An earlier run, which nobody was told the end of, may have merged more than this one would.
    for (auto i = all.size(); i > count; --i)
      if (const auto said = flat_chain(*sftp_, path(all[i - 1].source));
          said && contains(*said, all[count - 1]))
        count = i;
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(count);
    merged_ = Chain{{all.begin(), middle}};
    kept_.assign(middle, all.end());
  }

  std::string run() {
    if (!done()) {
      build();
      exchange();
    }
    clean();
    return answer();
  }

 private:
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string last() const { return path(merged_.last().source); }
  std::string flat() const { return last() + ".flat"; }
  std::string old() const { return last() + ".old"; }
  bool there(const std::string& where) { return sftp_->look(where).has_value(); }

  bool done() {
    const auto said = flat_chain(*sftp_, last());
    return said && contains(*said, merged_.increments().front()) && contains(*said, merged_.last());
  }

  // An earlier one was killed between the two renames, whatever it merged: nothing has the name.
  void finish_exchange(const std::string& name) {
    if (there(name)) return;
    if (const auto flat = name + ".flat"; there(flat) && flat_chain(*sftp_, flat))
      sftp_->rename(flat, name);
    else if (const auto old = name + ".old"; there(old))
      sftp_->rename(old, name);
  }

  void build() {
    sftp_->remove_tree(flat());
    const SftpChain chain{sftp_, directory_, merged_};
    const auto disks = chain.disks();
    const auto& newest = chain.parts().back();
    if (disks.empty()) throw Error{"there are no disks in '" + newest.directory + "'"};
    sftp_->make_directories(flat());
    std::map<int, std::uint64_t> sizes;
    for (const int disk : disks) sizes[disk] = write_disk(chain, disk);
    for (const auto& [name, size] : newest.files) {
      if (is_of_the_increment(name) || there(flat() + "/" + name)) continue;
      auto text = sftp_->read(newest.directory + "/" + name);
      if (name == result_document) text = flat_result(text, sizes);
      sftp_->write(flat() + "/" + name, text);
    }
    // The last: with it the directory is whole.
    sftp_->write(flat() + "/" + sftp_flat_document, flat_text(merged_));
    sftp_->sync_directory(flat());
  }

  std::uint64_t write_disk(const SftpChain& chain, int disk) {
    const auto name = "disk." + std::to_string(disk) + "." + std::to_string(merged_.last().id);
    // A reader may still have the older files behind it.
    auto [merged, proven] = chain.checked_merge(disk, qcow2::Hidden::zero, known_);
    sums::Writer sums;
    auto file = sftp_->create(flat() + "/" + name);
    std::vector<std::byte> buffer(piece);
    const auto size = merged.plan().file_size();
    for (std::uint64_t at = 0; at < size;) {
      const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - at));
      merged.read(at, std::span{buffer}.first(n));
      file.write(std::span{buffer}.first(n));
      if (proven) sums.add(std::span{buffer}.first(n));
      at += n;
    }
    file.sync();
    if (proven) sftp_->write(flat() + "/" + sums_file(name), sums.finish());
    return size;
  }

  // Files of the last increment that say nothing of the merged one.
  static bool is_of_the_increment(const std::string& name) {
    return is_sums_file(name) || signature_of_disk(name) || name == sftp_flat_document ||
           is_rbd_export(name);
  }
  static bool signature_of_disk(const std::string& name) {
    return name.starts_with("rsig.") || name.starts_with("blocks.");
  }

  void exchange() {
    sftp_->remove_tree(old());
    sftp_->rename(last(), old());
    sftp_->rename(flat(), last());
    sftp_->sync_directory(directory_);
  }

  void clean() {
    for (const auto& other : {flat(), old()}) sftp_->remove_tree(other);
    const auto& all = merged_.increments();
    for (auto one = all.begin(); one != all.end() - 1; ++one)
      for (const char* suffix : {"", ".flat", ".old"})
        sftp_->remove_tree(path(one->source) + suffix);
    sftp_->sync_directory(directory_);
  }

  std::string answer() {
    std::uint64_t bytes = 0;
    const auto files = files_of(*sftp_, last());
    if (!files) throw Error{"there is no '" + last() + "'"};
    for (const auto& [name, size] : *files)
      if (blocks_name(name)) bytes += size;
    const auto mib = std::max<std::uint64_t>(1, (bytes + (std::uint64_t{1} << 20) - 1) >> 20);
    std::vector<Increment> left{merged_.last()};
    left.insert(left.end(), kept_.begin(), kept_.end());
    return std::to_string(mib) + " " + Chain{std::move(left)}.text();
  }

  std::shared_ptr<Sftp> sftp_;
  std::string directory_;
  const Texts& known_;
  Chain merged_;
  std::vector<Increment> kept_;
};

}  // namespace

std::string sftp_flatten(std::shared_ptr<Sftp> sftp, const std::string& directory,
                         const Chain& chain, int keep, const Texts& known) {
  return Flatten{std::move(sftp), directory, chain, keep, known}.run();
}

}  // namespace rsync
