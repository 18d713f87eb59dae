// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/receive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/error.h"
#include "common/sha256.h"
#include "datastore/rsync/lib/receive_file.h"
#include "datastore/rsync/lib/receive_hash.h"
#include "datastore/rsync/lib/server_repository.h"

namespace rsync {
namespace {

constexpr std::size_t side_part = std::size_t{256} << 10;

std::string_view text_of(const Frame& frame) {
  return {reinterpret_cast<const char*>(frame.payload.data()), frame.payload.size()};
}

timespec time_of(std::int64_t ns) {
  constexpr std::int64_t second = 1'000'000'000;
  const auto rest = (ns % second + second) % second;
  return {.tv_sec = (ns - rest) / second, .tv_nsec = rest};
}

}  // namespace

Receive::Receive(const Dir& vm, const Upload& upload, Wire& wire, Partial partial, Part part)
    : upload_{upload}, wire_{wire}, partial_{std::move(partial)}, part_{part}, bases_{vm} {}

Receive::Receive(const Dir& vm, const Upload& upload, Wire& wire)
    : Receive{vm, upload, wire, Partial::take(vm, upload), Part::owner} {
  remove_leftovers(vm);  // ours is locked
}

Receive::Receive(const Dir& vm, const Upload& upload, const std::string& token, Wire& wire)
    : Receive{vm, upload, wire, Partial::join(vm, upload, token), Part::guest} {}

void Receive::answer(const ServerMessage& message) {
  wire_.send(encode(message));
  wire_.flush();
}

void Receive::run() {
  try {
    converse();
  } catch (const Full&) {
    if (part_ == Part::owner) give_room();
    throw;
  }
}

// Nobody can go on from here, and others need the room.  With guests in it, the sender removes it
// when all have heard: they would complain of what has gone.
void Receive::give_room() noexcept try {
  partial_.close();
  partial_.discard();
} catch (const Error&) {
}

void Receive::converse() {
  greet();
  for (;;) {
    wire_.receive(frame_);
    if (frame_.kind != Kind::message) throw Error{"a frame of the upload belongs to no file"};
    const auto message = decode_client(text_of(frame_));
    if (answer_question(message)) continue;
    if (std::get_if<Leave>(&message)) {
      begun_.clear();
      partial_.leave();
      return answer(Left{});
    }
    if (part_ == Part::guest) throw Error{"the upload ends where it did not begin"};
    if (std::get_if<Commit>(&message)) {
      commit();
      return answer(Committed{partial_.name()});
    }
    if (!std::get_if<Discard>(&message))
      throw Error{"a file of the upload ends that has not begun"};
    partial_.discard();
    return answer(Discarded{});
  }
}

// false: it is none, and no file either.
bool Receive::answer_question(const ClientMessage& message) {
  if (const auto* begin = std::get_if<FileBegin>(&message))
    receive(*begin);
  else if (const auto* had = std::get_if<AskHad>(&message))
    tell_had(wanted(had->file).name);
  else if (const auto* base = std::get_if<AskBase>(&message))
    answer(FileBase{bases_.find(wanted(base->file).name)});
  else if (const auto* fetch = std::get_if<Fetch>(&message))
    send_side(*fetch);
  else
    return false;
  return true;
}

void Receive::greet() {
  Greeting greeting{.name = partial_.name(), .token = partial_.token(), .files = partial_.done()};
  for (const auto& file : upload_.files)
    if (const auto info = partial_.dir().status(file.name);
        info && S_ISREG(info->st_mode) && !greeting.files.contains(file.name))
      greeting.files[file.name] = {.size = static_cast<std::uint64_t>(info->st_size)};
  answer(greeting);
}

void Receive::tell_had(const std::string& file) {
  begun_.erase(file);
  Begun begun{.fd = partial_.claim(file), .size = 0, .hash = {}};
  const auto path = partial_.dir().in(file);
  begun.size = size_of(begun.fd.get(), path);
  begun.hash = hash_of(begun.fd.get(), path);
  const Had had{.size = begun.size, .sha256 = hex(begun.hash.so_far())};
  begun_.insert_or_assign(file, std::move(begun));
  answer(FileHad{had});
}

const UploadFile& Receive::wanted(const std::string& file) const {
  const auto found = std::find_if(upload_.files.begin(), upload_.files.end(),
                                  [&](const auto& one) { return one.name == file; });
  if (found == upload_.files.end()) throw Error{"'" + file + "' does not belong to the upload"};
  return *found;
}

// At the place where its next byte belongs.
Fd Receive::open(const FileBegin& begin, sums::Hash& hash) {
  if (begin.from == 0) {
    begun_.erase(begin.file);
    return partial_.begin(begin.file);
  }
  auto node = begun_.extract(begin.file);
  if (node.empty() || node.mapped().size != begin.from)
    throw Error{"'" + begin.file + "' was not cut off at " + std::to_string(begin.from)};
  hash = std::move(node.mapped().hash);
  return std::move(node.mapped().fd);
}

void Receive::receive(const FileBegin& begin) {
  const auto& file = wanted(begin.file);
  const int base = begin.base ? bases_.base_of(begin.file, *begin.base) : -1;
  partial_.note_undone(begin.file);
  sums::Hash hash;
  const Fd fd = open(begin, hash);
  const auto path = partial_.dir().in(begin.file);
  ReceiveSink sink{{.fd = fd.get(),
                    .name = path,
                    .from = begin.from,
                    .size = file.size,
                    .sparse = upload_.sparse},
                   std::move(hash)};
  const auto end = receive_frames(sink, base);
  const Had had{.size = sink.size(), .done = true, .sha256 = hex(sink.finish())};
  if (had.size != end.size || had.sha256 != end.sha256) {
    partial_.dir().remove_file(begin.file);
    return answer(FileResult{begin.file, false, "'" + path + "' is not what was sent"});
  }
  set_attributes(fd.get(), file);
  if (fsync(fd.get()) != 0) throw_write_error("write '" + path + "'", errno);
  partial_.note_done(begin.file, had);
  answer(FileResult{begin.file, true, ""});
}

FileEnd Receive::receive_frames(ReceiveSink& sink, int base) {
  ReceiveFile file{sink, base};
  for (;;) {
    wire_.receive(frame_);
    if (frame_.kind == Kind::message) break;
    file.add(frame_);
  }
  const auto message = decode_client(text_of(frame_));
  const auto* end = std::get_if<FileEnd>(&message);
  if (!end) throw Error{"a message in the middle of a file"};
  file.finish();
  return *end;
}

void Receive::set_attributes(int fd, const UploadFile& file) const {
  if (!upload_.archive) return;
  const timespec times[] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, time_of(file.mtime_ns)};
  // No bit that would make a program of it.
  if (fchmod(fd, file.mode & 0777) != 0 || futimens(fd, times) != 0)
    throw system_error("set the attributes of '" + partial_.dir().in(file.name) + "'", errno);
}

void Receive::send_side(const Fetch& fetch) {
  const int fd = bases_.side(fetch.side, fetch.of);
  const auto size = size_of(fd, fetch.side);
  wire_.send(encode(SideSize{size}));
  std::vector<std::byte> buffer(side_part);
  for (std::uint64_t at = 0; at < size;) {
    const auto count = std::min<std::uint64_t>(buffer.size(), size - at);
    const ssize_t n = pread(fd, buffer.data(), count, static_cast<off_t>(at));
    if (n == -1 && errno == EINTR) continue;
    if (n <= 0) throw system_error("read '" + fetch.side + "'", n == 0 ? EIO : errno);
    wire_.send(Kind::data, std::span{buffer}.first(static_cast<std::size_t>(n)));
    at += static_cast<std::uint64_t>(n);
  }
  wire_.flush();
}

void Receive::commit() {
  begun_.clear();
  partial_.close();
  const auto done = partial_.done();
  for (const auto& file : upload_.files)
    if (!done.contains(file.name)) throw Error{"'" + file.name + "' of the upload has not come"};
  partial_.commit();
}

}  // namespace rsync
