// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/signature.h"

#include <cstring>

#include "common/error.h"
#include "datastore/rsync/lib/blocks.h"

namespace rsync {
namespace {

using Job = Owned<rs_job_t, rs_job_free>;

Error failure(const char* doing, rs_result result) {
  return Error{std::string{"librsync cannot "} + doing + ": " + rs_strerror(result)};
}

char* of(std::span<const std::byte> bytes) {
  return const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));  // it only reads
}

// The whole input is there, and the output has room; returns how much of that is used.
std::size_t run(rs_job_t& job, std::span<const std::byte> in, std::span<char> out,
                const char* doing) {
  rs_buffers_t buffers{of(in), in.size(), 1, out.data(), out.size()};
  const auto result = rs_job_iter(&job, &buffers);
  if (result != RS_DONE) throw failure(doing, result);
  return out.size() - buffers.avail_out;
}

std::string header(std::uint64_t file_size) {
  const std::uint32_t words[] = {static_cast<std::uint32_t>(Signature::magic),
                                 block_size_for(file_size), Signature::strong_size};
  std::string out;
  for (const auto word : words)
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(word >> shift);
  return out;
}

std::string new_file(std::uint64_t file_size) {
  auto file = header(file_size);
  file.resize(Signature::size_for(file_size));
  return file;
}

}  // namespace

std::uint64_t Signature::size_for(std::uint64_t file_size) {
  const auto blocks = (Blocks::size_for(file_size) - Blocks::header_size) / Blocks::entry_size;
  return header_size + blocks * entry_size;
}

Signature::Signature(std::uint64_t file_size) : Signature{file_size, new_file(file_size)} {}

Signature::Signature(std::uint64_t file_size, std::string file)
    : block_size_{block_size_for(file_size)}, file_{std::move(file)} {}

Signature Signature::parse(std::string file, std::uint64_t file_size) {
  if (file.size() != size_for(file_size) || !file.starts_with(header(file_size)))
    throw Error{"a signature is not that of its file"};
  return {file_size, std::move(file)};
}

void Signature::compute(std::uint64_t first, std::span<const std::byte> bytes) {
  const auto blocks = (bytes.size() + block_size_ - 1) / block_size_;
  std::string out(header_size + blocks * entry_size, '\0');
  const Job job{rs_sig_begin(block_size_, strong_size, magic)};
  if (!job) throw Error{"librsync has no memory for a signature"};
  const auto size = run(*job, bytes, out, "make a signature");
  if (size != out.size()) throw Error{"librsync made a signature of another size"};
  std::memcpy(file_.data() + header_size + first * entry_size, out.data() + header_size,
              blocks * entry_size);
}

void Signature::take(std::uint64_t block, const Signature& other, std::uint64_t from) {
  std::memcpy(file_.data() + header_size + block * entry_size,
              other.file_.data() + header_size + from * entry_size, entry_size);
}

Search::Search(const Signature& signature) {
  rs_signature_t* sums = nullptr;
  const Job job{rs_loadsig_begin(&sums)};
  const auto& file = signature.file();
  run(*job, std::as_bytes(std::span{file}), {}, "read a signature");
  sums_.reset(sums);
  if (const auto result = rs_build_hash_table(sums); result != RS_DONE)
    throw failure("index a signature", result);
}

std::optional<std::string> Search::delta(std::span<const std::byte> bytes) const {
  std::string out(bytes.size() - bytes.size() / 8, '\0');
  const Job job{rs_delta_begin(sums_.get())};
  if (!job) throw Error{"librsync has no memory for a delta"};
  rs_buffers_t buffers{of(bytes), bytes.size(), 1, out.data(), out.size()};
  const auto result = rs_job_iter(job.get(), &buffers);
  if (result == RS_BLOCKED) return std::nullopt;  // there is no room for it
  if (result != RS_DONE) throw failure("make a delta", result);
  out.resize(out.size() - buffers.avail_out);
  return out;
}

}  // namespace rsync
