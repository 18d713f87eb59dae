// SPDX-License-Identifier: Apache-2.0
#include "datastore/restic/lib/flat_disk.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include "common/error.h"
#include "common/nbd/file_reader.h"
#include "common/nbd/server.h"
#include "common/qcow2/stream.h"
#include "common/sums.h"
#include "datastore/restic/lib/scratch.h"

namespace fs = std::filesystem;

namespace restic {
namespace {

class Streamed : public FlatDisk {
 public:
  Streamed(const Streams& streams, std::vector<StoredFile> chain,
           std::vector<qcow2::StreamReader> readers, Opened opened)
      : streams_{streams}, chain_{std::move(chain)} {
    merge_.emplace(std::move(readers));
    size_ = merge_->plan().file_size();
    if (streams_.check_all(chain_)) sums_.emplace(size_);
    if (opened == Opened::closed) merge_.reset();
  }

  std::uint64_t size() const override { return size_; }

  std::size_t read(std::uint64_t offset, std::span<std::byte> out) override {
    const std::lock_guard lock{mutex_};
    if (offset >= size_) return 0;
    const auto part = out.first(std::min<std::uint64_t>(out.size(), size_ - offset));
    if (!merge_ || offset < next_) begin_anew();
    merge_->read(offset, part);
    next_ = offset + part.size();
    if (sums_) sums_->saw(offset, part);
    if (next_ == size_) merge_.reset();
    return part.size();
  }

  std::optional<std::string> sums() const override { return sums_ ? sums_->all() : std::nullopt; }

 private:
  void begin_anew() {
    merge_.reset();
    auto readers = streams_.open(chain_);
    if (!readers) throw Error{"'" + chain_.back().path.string() + "' has changed its layout"};
    merge_.emplace(std::move(*readers));
    if (merge_->plan().file_size() != size_)
      throw Error{"'" + chain_.back().path.string() + "' has changed its size"};
    next_ = 0;
  }

  const Streams& streams_;
  const std::vector<StoredFile> chain_;
  std::mutex mutex_;
  std::optional<qcow2::Merge> merge_;
  std::uint64_t size_ = 0, next_ = 0;
  std::optional<sums::Table> sums_;
};

class Copied : public FlatDisk {
 public:
  Copied(const Restic& restic, const std::vector<StoredFile>& chain, const fs::path& directory)
      : server_{{.image = fetch_in(directory, restic, chain),
                 .format = "qcow2",
                 .export_name = "disk",
                 .bitmap = {},
                 .layers = false},
                directory / "nbd"},
        reader_{source(), plan()} {}

  std::uint64_t size() const override { return reader_.plan().file_size(); }
  std::size_t read(std::uint64_t offset, std::span<std::byte> out) override {
    return reader_.read(offset, out);
  }

 private:
  nbd::Export source() const { return {.socket = server_.socket(), .name = "disk"}; }
  qcow2::Plan plan() const {
    const auto map = nbd::map(source(), nbd::Base::none);
    return {map.size, map.extents};
  }

  nbd::Server server_;
  nbd::FileReader reader_;
};

// Of files that only we can read.
class Exported : public FlatDisk {
 public:
  explicit Exported(std::vector<qcow2::Layer> layers)
      : layers_{std::move(layers)}, merge_{std::in_place, layers_} {}

  std::uint64_t size() const override { return merge_->plan().file_size(); }
  std::size_t read(std::uint64_t offset, std::span<std::byte> out) override {
    const std::lock_guard lock{mutex_};
    if (offset >= size()) return 0;
    const auto part = out.first(std::min<std::uint64_t>(out.size(), size() - offset));
    if (offset < next_) merge_.emplace(layers_);
    merge_->read(offset, part);
    next_ = offset + part.size();
    return part.size();
  }

 private:
  const std::vector<qcow2::Layer> layers_;
  std::mutex mutex_;
  std::optional<qcow2::Merge> merge_;
  std::uint64_t next_ = 0;
};

}  // namespace

std::unique_ptr<FlatDisk> stream_flat_disk(const Streams& streams,
                                           const std::vector<StoredFile>& chain, Opened opened) {
  auto readers = streams.open(chain);
  if (!readers) return nullptr;
  return std::make_unique<Streamed>(streams, chain, std::move(*readers), opened);
}

std::unique_ptr<FlatDisk> copy_flat_disk(const Restic& restic, const std::vector<StoredFile>& chain,
                                         const fs::path& directory) {
  fs::create_directories(directory);
  if (have_exports(chain))
    return std::make_unique<Exported>(fetch_layers(directory, restic, chain));
  return std::make_unique<Copied>(restic, chain, directory);
}

}  // namespace restic
