// SPDX-License-Identifier: Apache-2.0
// What a backup server says, or keeps for us: restic's words, and those of our own program over
// there.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "common/base64.h"
#include "common/error.h"
#include "common/file.h"
#include "common/handle.h"
#include "common/one/capture_result.h"
#include "datastore/restic/lib/messages.h"
#include "datastore/restic/lib/restic_version.h"
#include "datastore/rsync/lib/blocks.h"
#include "datastore/rsync/lib/protocol.h"
#include "datastore/rsync/lib/receive_patch.h"
#include "datastore/rsync/lib/send_request.h"
#include "datastore/rsync/lib/signature.h"
#include "datastore/rsync/lib/ssh_config.h"
#include "datastore/rsync/lib/ssh_keys.h"
#include "datastore/rsync/lib/wire.h"
#include "tests/fuzz/fuzz.h"

namespace {

void restic_says(std::string_view input) {
  fuzz::attempt([&] { restic::parse_snapshots(input); });
  fuzz::attempt([&] { restic::parse_files(input); });
  fuzz::attempt([&] { restic::parse_size(input, "/a/disk.0.0"); });
  fuzz::attempt([&] { restic::parse_version(input); });
  fuzz::attempt([&] { restic::parse_status(input); });
  fuzz::attempt([&] { restic::parse_summary(input); });
  for (const int status : {0, 1, 10, 12}) restic::classify(status, input);
  restic::lock_owner(input);
  restic::first_finding(input);
  const auto why = restic::reason(input);
  fuzz::insist(why.find('\n') == why.npos, "a reason is one line");
}
const fuzz::Register r1{"restic", restic_says};

void capture_result(std::string_view input) { parse_result(input).bytes(); }
const fuzz::Register r2{"vmvault-json", capture_result};

rsync::Wire wire_of(std::string_view& input) {
  return {[&input](std::span<std::byte> out) {
            const auto n = std::min(out.size(), input.size());
            std::copy_n(fuzz::bytes(input).begin(), n, out.begin());
            input.remove_prefix(n);
            return n;
          },
          [](std::span<const std::byte>) {}};
}

void frames(std::string_view input) {
  auto wire = wire_of(input);
  for (;;) {
    const auto frame = wire.receive();
    const std::string text{reinterpret_cast<const char*>(frame.payload.data()),
                           frame.payload.size()};
    fuzz::attempt([&] { rsync::zeros_of(frame); });
    fuzz::attempt([&] { rsync::copy_of(frame); });
    if (frame.kind == rsync::Kind::deflated) fuzz::attempt([&] { rsync::inflated(frame.payload); });
    if (frame.kind != rsync::Kind::message) continue;
    fuzz::attempt([&] { rsync::encode(rsync::decode_client(text)); });
    fuzz::attempt([&] { rsync::encode(rsync::decode_server(text)); });
  }
}
const fuzz::Register r3{"rsync-frames", frames};

void server_request(std::string_view input) {
  rsync::encode(rsync::decode_request(base64_encode(input)));
}
const fuzz::Register r4{"rsync-request", server_request};

void send_request(std::string_view input) {
  rsync::SendRequest::decode(base64_encode(input)).encode();
}
const fuzz::Register r5{"rsync-send", send_request};

Fd file_of(std::string_view content) {
  Fd fd{memfd_create("base", MFD_CLOEXEC)};
  write_all(fd.get(), content, "write a test's file");
  return fd;
}

// A delta against 64 KiB; it may not make more than it could be made of.
void delta(std::string_view input) {
  static const Fd base = file_of(std::string(65536, 'x'));
  std::uint64_t made = 0;
  rsync::Patch patch{base.get(), [&](std::span<const std::byte> part) {
                       made += part.size();
                       if (made > (std::uint64_t{64} << 20)) throw Error{"enough"};
                     }};
  for (std::size_t at = 0; at < input.size(); at += 1000)
    patch.add(fuzz::bytes(input.substr(at, 1000)));
  patch.insist_on_end();
}
const fuzz::Register r6{"librsync-delta", delta};

// A signature and a table of blocks are of 20 000 bytes of a file.
void signature(std::string_view input) {
  constexpr std::uint64_t size = 20'000;
  fuzz::attempt([&] {
    const auto parsed = rsync::Signature::parse(std::string{input}, size);
    const std::string part(8192, 'x');
    rsync::Search{parsed}.delta(fuzz::bytes(part));
  });
  fuzz::attempt([&] {
    const auto blocks = rsync::Blocks::parse(std::string{input}, size);
    for (std::uint64_t i = 0; i < blocks.count(); ++i) blocks.find(blocks.at(i));
  });
}
const fuzz::Register r7{"signature", signature};

void ssh_words(std::string_view input) {
  rsync::parse_ssh_config(input).known_as();
  rsync::KnownKeys keys;
  rsync::add_known_keys(keys, input);
  keys.types();
  for (const auto& blob : keys.blobs) rsync::fingerprint(blob);
}
const fuzz::Register r8{"known-hosts", ssh_words};

}  // namespace
