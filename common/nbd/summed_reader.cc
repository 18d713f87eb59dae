// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/summed_reader.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace nbd {

SummedReader::SummedReader(Export source, qcow2::Plan plan, FileReader::Options options)
    : reader_{std::move(source), std::move(plan), options}, table_{reader_.plan().file_size()} {}

std::size_t SummedReader::read(std::uint64_t offset, std::span<std::byte> out) {
  const auto size = reader_.read(offset, out);
  table_.saw(offset, out.first(size));
  return size;
}

std::size_t SummedReader::read_sums(std::uint64_t offset, std::span<std::byte> out) {
  if (offset >= sums_size()) return 0;
  out = out.first(std::min<std::uint64_t>(out.size(), sums_size() - offset));
  std::size_t done = 0;
  for (bool computed = false; done < out.size();) {
    const std::uint64_t piece = (offset + done) / sums::sum_size;
    auto sum = table_.find(piece);
    if (!sum && std::exchange(computed, true)) break;
    if (!sum) sum = compute(piece);
    const std::size_t into = (offset + done) % sums::sum_size;
    const auto size = std::min(out.size() - done, sums::sum_size - into);
    std::memcpy(out.data() + done, sum->data() + into, size);
    done += size;
  }
  return done;
}

sums::Sum SummedReader::compute(std::uint64_t piece) {
  const std::uint64_t end = std::min((piece + 1) * sums::piece_size, plan().file_size());
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  sums::Hash hash;
  for (std::uint64_t at = piece * sums::piece_size; at < end;) {
    const auto part = std::span{buffer}.first(std::min<std::uint64_t>(buffer.size(), end - at));
    hash.add(part.first(reader_.read(at, part)));
    at += part.size();
  }
  const auto sum = hash.finish();
  table_.put(piece, sum);
  return sum;
}

}  // namespace nbd
