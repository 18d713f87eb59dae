// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_file.h"

#include "common/sha256.h"
#include "common/sums.h"
#include "datastore/rsync/lib/cache.h"
#include "datastore/rsync/lib/pipeline.h"

namespace rsync {
namespace {

constexpr std::size_t most_tasks = 4;

// What the server has of the file is not what it begins with.
struct BeginDiffers {};

// The SHA-256 of a file, and of its begin.
class FileHash {
 public:
  explicit FileHash(std::uint64_t from) : from_{from} { note(); }

  void add(std::span<const std::byte> bytes) {
    if (seen_ < from_ && from_ - seen_ < bytes.size()) {
      const auto before = bytes.first(static_cast<std::size_t>(from_ - seen_));
      add(before);
      bytes = bytes.subspan(before.size());
    }
    hash_.add(bytes);
    seen_ += bytes.size();
    note();
  }
  std::string begin() const { return hex(begin_); }
  std::string finish() { return hex(hash_.finish()); }

 private:
  void note() {
    if (seen_ == from_) begin_ = hash_.so_far();
  }

  const std::uint64_t from_;
  std::uint64_t seen_ = 0;
  sums::Hash hash_;
  sums::Sum begin_{};
};

// The signature of a file while it is read.
class SignatureMaker {
 public:
  SignatureMaker(std::uint64_t size, const Signature* old)
      : block_size_{block_size_for(size)}, old_{old}, signature_{size}, zeros_{block_size_} {
    const std::vector<std::byte> block(block_size_);
    zero_hash_ = hash_block(block);
    zeros_.compute(0, block);
  }

  void add(const FileChunk& chunk, const std::vector<BlockRun>& runs) {
    for (const auto& run : runs) {
      if (run.from)
        for (std::uint64_t n = 0; n < run.count; ++n)
          signature_.take(run.first + n, *old_, *run.from + n);
      else
        compute(chunk, run);
    }
  }
  Signature finish() { return std::move(signature_); }

 private:
  void compute(const FileChunk& chunk, const BlockRun& run) {
    const auto first = chunk.offset / block_size_;
    auto from = run.first;
    const auto compute_until = [&](std::uint64_t end) {
      const auto begin = (from - first) * block_size_;
      const auto length = std::min<std::uint64_t>((end - from) * block_size_, chunk.size - begin);
      if (end != from) signature_.compute(from, chunk.bytes().subspan(begin, length));
    };
    for (auto block = run.first; block < run.first + run.count; ++block) {
      if (chunk.hashes[block - first] != zero_hash_) continue;
      compute_until(block);
      signature_.take(block, zeros_, 0);
      from = block + 1;
    }
    compute_until(run.first + run.count);
  }

  const std::uint32_t block_size_;
  const Signature* old_;
  Signature signature_, zeros_;
  BlockHash zero_hash_;
};

bool has_begin(const Had& had, std::uint64_t from, const FileHash& hash) {
  return had.size == from && had.sha256 == hash.begin();
}

struct Attempt {
  FileResult result;
  std::string sha256;
  std::optional<Sides> sides;
  Counts counts;
};

FileBegin beginning(const FileJob& job, std::uint64_t from) {
  FileBegin begin{.file = job.file.name, .from = from};
  if (job.base) begin.base = job.base->base.name;
  return begin;
}

Known known_of(const FileJob& job) {
  if (!job.base) return {};
  return {&job.base->blocks, &job.base->signature};
}

Attempt attempt(Conversation& server, const std::filesystem::path& path, const FileJob& job,
                const std::function<void(std::uint64_t)>& done) {
  const auto size = job.file.size;
  const auto from = job.had && job.had->size <= size ? job.had->size : 0;
  FileHash hash{from};
  std::optional<Sides> sides;
  std::optional<SignatureMaker> maker;
  if (job.sides) {
    sides = Sides{.blocks = Blocks{size},
                  .signature = Signature{0},
                  .runs = {},
                  .from_base = job.base != nullptr};
    maker.emplace(size, known_of(job).signature);
  }
  const bool had_all = job.had && job.had->done && from == size;
  // Both sides read that part at the same time.
  if (from != 0 && !had_all) server.ask_had(job.file.name);
  Worker hashing{most_tasks}, signing{most_tasks};
  FrameWriter out{server.wire(), from, job.level, [&] {
                    hashing.finish();
                    if (from != 0 && !has_begin(had_all ? *job.had : server.had(), from, hash))
                      throw BeginDiffers{};
                    if (!had_all) server.begin(beginning(job, from));
                  }};
  Delta delta{size, known_of(job), out};
  ReadAhead file{path, size};
  while (const auto chunk = file.next()) {
    hashing.give([&hash, chunk] { hash.add(chunk->bytes()); });
    auto runs = delta.add({chunk->offset, chunk->bytes(), chunk->hashes});
    done(chunk->offset + chunk->size);
    if (!sides) continue;
    auto block = chunk->offset / sides->blocks.block_size();
    for (const auto& found : chunk->hashes) sides->blocks.set(block++, found);
    for (const auto& run : runs) append(sides->runs, run);
    signing.give([&maker, chunk, runs = std::move(runs)] { maker->add(*chunk, runs); });
  }
  delta.finish();
  out.finish();
  hashing.finish();
  signing.finish();
  if (maker) sides->signature = maker->finish();
  const FileEnd end{.size = size, .sha256 = hash.finish()};
  auto result = had_all ? FileResult{.file = job.file.name, .ok = true} : server.end(end);
  return {std::move(result), end.sha256, std::move(sides), out.counts()};
}

Error refused(const UploadFile& file, const FileResult& result) {
  return Error{"the server did not get '" + file.name +
               "' right, though it was sent whole: " + one_line(result.why)};
}

}  // namespace

SentFile send_file(Conversation& server, const std::filesystem::path& path, const FileJob& job,
                   const std::function<void(std::uint64_t)>& done) {
  FileJob now{job};
  SentFile sent;
  for (;;) {
    try {
      auto tried = attempt(server, path, now, done);
      sent.counts += tried.counts;
      sent.sha256 = tried.sha256;
      sent.sides = std::move(tried.sides);
      if (tried.result.ok) return sent;
      if (!now.base && !now.had) throw refused(job.file, tried.result);
      sent.again = true;
      now.base = nullptr;
    } catch (const BeginDiffers&) {
    }
    now.had.reset();
  }
}

SentFile send_entries(Conversation& server, const FileJob& job, const std::string& content,
                      std::size_t header_size, std::size_t entry_size, const Sides& sides) {
  std::uint64_t from = job.had && job.had->size <= content.size() ? job.had->size : 0;
  const FileEnd end{.size = content.size(), .sha256 = sha256_of(content)};
  SentFile sent{.sha256 = end.sha256};
  if (from != 0) {
    if (job.had->done && job.had->sha256 == end.sha256) return sent;
    server.ask_had(job.file.name);
    const auto had = server.had();
    if (had.size != from || sha256_of(std::string_view{content}.substr(0, from)) != had.sha256)
      from = 0;
  }
  for (bool whole = !sides.from_base || !job.base;; whole = true) {
    FrameWriter out{server.wire(), from, 0, [] {}};
    auto begin = beginning(job, from);
    if (whole) begin.base.reset();
    server.begin(begin);
    if (whole)
      out.data(std::as_bytes(std::span{content}));
    else
      give_entries(content, header_size, entry_size, sides.runs, out);
    sent.counts += out.counts();
    const auto result = server.end(end);
    if (result.ok) return sent;
    if (whole && from == 0) throw refused(job.file, result);
    sent.again = true;
    from = 0;
  }
}

}  // namespace rsync
