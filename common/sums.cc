// SPDX-License-Identifier: Apache-2.0
#include "common/sums.h"

#include <algorithm>
#include <cstring>

#include "common/error.h"

namespace sums {
namespace {

// Readers that are in the middle of a piece at the same time; others are not followed.
constexpr std::size_t most_begun = 8;

void insist(int result) {
  if (result != 1) throw Error{"OpenSSL cannot compute SHA-256"};
}

// Looked up once: that costs more than the sum of a small piece.
const EVP_MD* sha256() {
  static const Owned<EVP_MD, EVP_MD_free> algorithm{EVP_MD_fetch(nullptr, "SHA256", nullptr)};
  if (!algorithm) throw Error{"OpenSSL has no SHA-256"};
  return algorithm.get();
}

}  // namespace

std::uint64_t pieces(std::uint64_t file_size) { return (file_size + piece_size - 1) / piece_size; }
std::uint64_t size(std::uint64_t file_size) { return pieces(file_size) * sum_size; }

Hash::Hash() : context_{EVP_MD_CTX_new()} {
  if (!context_) throw Error{"OpenSSL has no memory for SHA-256"};
  insist(EVP_DigestInit_ex(context_.get(), sha256(), nullptr));
}

void Hash::add(std::span<const std::byte> bytes) {
  insist(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

Sum Hash::finish() {
  Sum out;
  insist(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr));
  insist(EVP_DigestInit_ex(context_.get(), nullptr, nullptr));
  return out;
}

Sum Hash::so_far() const {
  Hash copy;
  insist(EVP_MD_CTX_copy_ex(copy.context_.get(), context_.get()));
  return copy.finish();
}

void Pieces::add(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto part =
        bytes.first(std::min<std::uint64_t>(bytes.size(), piece_size - seen_ % piece_size));
    hash_.add(part);
    seen_ += part.size();
    bytes = bytes.subspan(part.size());
    if (seen_ % piece_size == 0) on_sum_(seen_ / piece_size - 1, hash_.finish());
  }
}

void Pieces::finish() {
  if (seen_ % piece_size != 0) on_sum_(seen_ / piece_size, hash_.finish());
}

std::string Writer::finish() {
  pieces_.finish();
  return std::move(sums_);
}

void Check::compare(std::uint64_t piece, const Sum& sum) {
  const std::uint64_t at = piece * sum_size;
  if (at + sum_size > sums_.size() || std::memcmp(sums_.data() + at, sum.data(), sum_size) != 0)
    wrong_.push_back(piece);
}

void Table::saw(std::uint64_t offset, std::span<const std::byte> bytes) {
  const std::lock_guard lock{mutex_};
  while (!bytes.empty()) {
    const std::uint64_t piece = offset / piece_size;
    const auto part =
        bytes.first(std::min<std::uint64_t>(bytes.size(), (piece + 1) * piece_size - offset));
    if (!known(piece)) add(piece, offset, part);
    offset += part.size();
    bytes = bytes.subspan(part.size());
  }
}

void Table::put(std::uint64_t piece, const Sum& sum) {
  const std::lock_guard lock{mutex_};
  store(piece, sum);
}

std::optional<Sum> Table::find(std::uint64_t piece) const {
  const std::lock_guard lock{mutex_};
  return known(piece) ? sums_[piece] : std::nullopt;
}

std::optional<std::string> Table::all() const {
  const std::lock_guard lock{mutex_};
  std::string out;
  for (std::uint64_t piece = 0; piece < pieces(file_size_); ++piece) {
    if (!known(piece)) return std::nullopt;
    out.append(reinterpret_cast<const char*>(sums_[piece]->data()), sum_size);
  }
  return out;
}

std::uint64_t Table::end_of(std::uint64_t piece) const {
  return std::min((piece + 1) * piece_size, file_size_);
}

bool Table::known(std::uint64_t piece) const { return piece < sums_.size() && sums_[piece]; }

void Table::store(std::uint64_t piece, const Sum& sum) {
  if (sums_.size() <= piece) sums_.resize(piece + 1);
  sums_[piece] = sum;
}

void Table::add(std::uint64_t piece, std::uint64_t offset, std::span<const std::byte> bytes) {
  const auto is_it = [&](const Begun& one) { return one.piece == piece; };
  auto begun = std::find_if(begun_.begin(), begun_.end(), is_it);
  if (begun == begun_.end()) {
    if (offset != piece * piece_size) return;
    if (begun_.size() == most_begun) begun_.pop_front();
    begun = begun_.insert(begun_.end(), {piece, offset, {}});
  }
  if (begun->next < offset || begun->next >= offset + bytes.size()) return;
  begun->hash.add(bytes.subspan(begun->next - offset));
  begun->next = offset + bytes.size();
  if (begun->next != end_of(piece)) return;
  store(piece, begun->hash.finish());
  begun_.erase(begun);
}

}  // namespace sums
