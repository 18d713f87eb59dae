// SPDX-License-Identifier: Apache-2.0
#include "datastore/lib/checked_read.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "common/error.h"
#include "common/sums.h"

namespace {

class CheckedRead {
 public:
  CheckedRead(qcow2::ReadAt read, std::uint64_t file_size, std::string sums, std::string name)
      : read_{std::move(read)}, size_{file_size}, sums_{std::move(sums)}, name_{std::move(name)} {}

  std::size_t operator()(std::uint64_t offset, std::span<std::byte> out) {
    std::size_t done = 0;
    while (done < out.size() && offset < size_) {
      load(offset / sums::piece_size);
      const auto from = std::span<const std::byte>{bytes_}.subspan(offset % sums::piece_size);
      const auto n = std::min(from.size(), out.size() - done);
      std::copy_n(from.begin(), n, out.begin() + static_cast<std::ptrdiff_t>(done));
      done += n;
      offset += n;
    }
    return done;
  }

 private:
  void load(std::uint64_t piece) {
    if (piece_ == piece) return;
    piece_.reset();
    const auto begin = piece * sums::piece_size;
    bytes_.resize(std::min(sums::piece_size, size_ - begin));
    if (read_(begin, bytes_) != bytes_.size())
      throw Error{"'" + name_ + "' is shorter than it was"};
    hash_.add(bytes_);
    const auto sum = hash_.finish();
    const auto at = piece * sums::sum_size;
    if (at + sum.size() > sums_.size() ||
        std::memcmp(sums_.data() + at, sum.data(), sum.size()) != 0)
      throw Error{"the backup is corrupt: '" + name_ + "' is not what was backed up from offset " +
                  std::to_string(begin) + " on"};
    piece_ = piece;
  }

  const qcow2::ReadAt read_;
  const std::uint64_t size_;
  const std::string sums_, name_;
  sums::Hash hash_;
  std::optional<std::uint64_t> piece_;
  std::vector<std::byte> bytes_;  // of that piece
};

}  // namespace

qcow2::ReadAt checked(qcow2::ReadAt read, std::uint64_t file_size, std::string sums,
                      std::string name) {
  const auto state =
      std::make_shared<CheckedRead>(std::move(read), file_size, std::move(sums), std::move(name));
  return [state](std::uint64_t offset, std::span<std::byte> out) { return (*state)(offset, out); };
}
