// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>

#include "common/error.h"
#include "common/rbd/diff.h"

namespace rbd {
namespace {

constexpr std::string_view of_backups = "one_backup";
// A file of others may have as many parts as it has room for; each takes memory.
constexpr std::size_t most_parts = std::size_t{1} << 25;

class FileInput : public DiffInput {
 public:
  FileInput(qcow2::ReadAt read, std::uint64_t size, std::string name)
      : read_{std::move(read)}, size_{size}, name_{std::move(name)} {}

  void read(std::span<std::byte> out) override {
    if (out.size() > size_ - at_ || read_(at_, out) != out.size()) throw cut_short();
    at_ += out.size();
  }
  void skip(std::uint64_t length) override {
    if (length > size_ - at_) throw cut_short();
    at_ += length;
  }
  std::uint64_t position() const override { return at_; }
  bool at_end() override { return at_ == size_; }

 private:
  Error cut_short() const { return Error{"'" + name_ + "' is cut short"}; }

  const qcow2::ReadAt read_;
  const std::uint64_t size_;
  const std::string name_;
  std::uint64_t at_ = 0;
};

// The parts of one diff, and where their data lies in the file.
class Parts {
 public:
  Parts(qcow2::ReadAt read, std::string name) : read_{std::move(read)}, name_{std::move(name)} {}

  void add(const DiffReader::Change& change) {
    if (change.extent.length == 0) return;
    extents_.push_back(change.extent);
    positions_.push_back(change.position);
  }
  std::size_t count() const { return extents_.size(); }
  const qcow2::Extents& extents() const { return extents_; }

  void read(std::uint64_t offset, std::span<std::byte> out) const {
    auto part = std::upper_bound(extents_.begin(), extents_.end(), offset,
                                 [](auto at, const auto& one) { return at < one.end(); });
    while (!out.empty()) {
      const auto into = offset - part->offset;
      const auto n = std::min<std::uint64_t>(out.size(), part->length - into);
      const auto at = positions_[static_cast<std::size_t>(part - extents_.begin())] + into;
      if (read_(at, out.first(n)) != n) throw Error{"'" + name_ + "' is cut short"};
      out = out.subspan(n);
      offset += n;
      ++part;
    }
  }

 private:
  const qcow2::ReadAt read_;
  const std::string name_;
  qcow2::Extents extents_;
  std::vector<std::uint64_t> positions_;
};

}  // namespace

std::vector<qcow2::Layer> layers(const qcow2::ReadAt& read, std::uint64_t file_size,
                                 const std::string& name, qcow2::Behind behind) {
  FileInput input{read, file_size, name};
  DiffReader reader{input, name};
  std::vector<qcow2::Layer> out;
  std::size_t count = 0;
  bool ended = false;
  while (const auto diff = reader.next_diff()) {
    if (out.empty() && behind == qcow2::Behind::nothing && !diff->from.empty())
      throw Error{"'" + name + "' is a difference from '" + one_line(diff->from) +
                  "': it is not all of a disk"};
    const auto parts = std::make_shared<Parts>(read, name);
    while (const auto change = reader.next_change()) {
      parts->add(*change);
      if (count + parts->count() > most_parts) throw Error{"'" + name + "' has too many parts"};
    }
    count += parts->count();
    if (ended) continue;
    out.push_back({.virtual_size = diff->size,
                   .extents = parts->extents(),
                   .read = [parts](auto offset, auto bytes) { parts->read(offset, bytes); }});
    ended = diff->to.starts_with(of_backups);
  }
  return out;
}

}  // namespace rbd
