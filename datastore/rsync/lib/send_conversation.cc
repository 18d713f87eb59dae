// SPDX-License-Identifier: Apache-2.0
#include "datastore/rsync/lib/send_conversation.h"

#include <algorithm>
#include <array>

#include "common/command.h"

namespace rsync {
namespace {

// A side file that has grown is read to its end, so that the conversation can go on; within limits.
constexpr std::uint64_t most_skipped = std::uint64_t{1} << 30;
constexpr std::size_t longest_answer = std::size_t{16} << 20;

}  // namespace

Conversation::Conversation(std::unique_ptr<Link> link, const Request& request)
    : link_{std::move(link)} {
  const auto line = encode(request);
  write(std::as_bytes(std::span{line}));
  greeting_ = answer<Greeting>();
}

std::size_t Conversation::read(std::span<std::byte> out) try {
  const auto count = link_->read(out);
  if (count != 0) return count;
  const auto end = link_->wait();
  const auto words = one_line(last_line(end.said));
  throw Lost{words.empty() ? "the program on the server has ended" : words};
} catch (const Cancelled&) {
  throw;
} catch (const Lost&) {
  throw;
} catch (const Error& error) {
  throw Lost{error.what()};
}

// Whoever ends in the middle may have said why.
void Conversation::write(std::span<const std::byte> bytes) try {
  if (!lost_) link_->write(bytes);
} catch (const Cancelled&) {
  throw;
} catch (const Error& error) {
  lost_ = true;
  answer<Failure>();  // throws
}

template <class T>
T Conversation::answer() {
  auto message = decode_server(wire_.receive_message());
  if (auto* it = std::get_if<Failure>(&message)) throw Error{one_line(it->why)};
  if (auto* it = std::get_if<T>(&message)) return std::move(*it);
  throw_unexpected(message);
}

void Conversation::ask_had(const std::string& file) {
  wire_.send(encode(ClientMessage{AskHad{file}}));
  wire_.flush();
}

Had Conversation::had() { return answer<FileHad>().had; }

std::optional<Base> Conversation::base_for(const std::string& file) {
  wire_.send(encode(ClientMessage{AskBase{file}}));
  return answer<FileBase>().base;
}

void Conversation::begin(const FileBegin& file) { wire_.send(encode(ClientMessage{file})); }

FileResult Conversation::end(const FileEnd& file) {
  wire_.send(encode(ClientMessage{file}));
  return answer<FileResult>();
}

std::string Conversation::fetch(const std::string& side, const std::string& of,
                                std::uint64_t size) {
  wire_.send(encode(ClientMessage{Fetch{side, of}}));
  const auto there = answer<SideSize>().size;
  if (there > std::max(size, most_skipped))
    throw Error{"the server has a signature of absurd size"};
  std::string content;
  for (std::uint64_t got = 0; got < there;) {
    const auto frame = wire_.receive();
    if (frame.kind != Kind::data || frame.payload.empty() || frame.payload.size() > there - got)
      throw Error{"the server sent a signature that is none"};
    got += frame.payload.size();
    if (there <= size)
      content.append(reinterpret_cast<const char*>(frame.payload.data()), frame.payload.size());
  }
  return content;
}

std::string Conversation::commit() {
  wire_.send(encode(ClientMessage{Commit{}}));
  return answer<Committed>().name;
}

void Conversation::leave() {
  wire_.send(encode(ClientMessage{Leave{}}));
  answer<Left>();
}

void Conversation::discard() {
  wire_.send(encode(ClientMessage{Discard{}}));
  answer<Discarded>();
}

std::string ask(Link& link, const Request& request) {
  const auto line = encode(request);
  link.write(std::as_bytes(std::span{line}));
  std::string answer;
  std::array<std::byte, 4096> part;
  while (const auto count = link.read(part)) {
    answer.append(reinterpret_cast<const char*>(part.data()), count);
    if (answer.size() > longest_answer) throw Error{"the server answers without end"};
  }
  const auto end = link.wait();
  if (end.status != 0) throw Error{one_line(last_line(end.said))};
  return answer;
}

}  // namespace rsync
