// SPDX-License-Identifier: Apache-2.0
// What datastore/rsync/server is asked, and what it answers.
//
// It is started on the server, by ssh, once for each request.  The request is one line of base64 on
// its stdin, of a JSON object with "do" and what belongs to it (no names or paths are on a command
// line).  Its stdin is then held open: when that closes, it ends.  A failure is one line on stderr
// and a status that is not zero.
//
//   do        with                                  answers on stdout
//   about     -                                     JSON: version, sha256 of its own executable
//   space     base                                  JSON: used_mb, total_mb, free_mb; makes `base`
//   list      base vm names[]                       JSON: per name its files (name, size), or null
//   read      base vm name file [offset length]     the bytes of the file
//   remove    base vm names[]                       JSON: the names that were there.  Leftovers of
//                                                   dead uploads of the VM go, too
//   merge     base vm chain disk                    a sequential qcow2 file, the merged disk
//   flatten   base vm chain keep [known sums]       JSON: mib, chain
//   verify    base vm chain depth [known sums]      JSON, as datastore/restic/verify answers
//   receive   base vm Upload                        the conversation below
//   join      base vm Upload token                  the same, beside the one that said this token
//
// `base` is BASE_PATH, `vm` the number of the VM, a name six hexadecimal digits.  Nothing outside
// of <base>/<vm>/ is touched, and no link is followed in there.
//
// receive: frames (wire.h) in both directions.
//   server  {"name", "token", "files": {file: Had}}
//   then for each file of the upload, in any order:
//   client  {"file", "from": offset, "base": name of a Base's backup, or null}
//           data, deflated, zeros, copy, patch...
//           {"end": size of the file, "sha256": of all of it}
//   server  {"file", "ok": true} or {"file", "ok": false, "why"}; the file is then as if never sent
//   at any time between files:
//   client  {"had": file}, before it begins at another offset than 0
//   server  {"had": Had}, which may take as long as reading that part of the file
//   client  {"base_for": file}, before it names a base
//   server  {"base": Base or null}
//   client  {"fetch": side file, "of": name of a Base's backup}
//   server  {"size"}, and data frames of so many bytes
//   at the end:
//   client  {"commit": true} or {"discard": true}
//   server  {"committed": name} when all is durable under that name, or {"discarded": true}
// All of these are the structs below; encode() and the decoders are the two sides of each.
// An error of the server is {"error": one line}, and its end.  An upload that is cut off is kept as
// <name>.partial until the same one (Upload::key) comes again, or another backup of the VM, or
// `remove`.
//
// join: one more process of the server works on the same upload, so that files come side by side
// (share/doc/adr/0026-side-by-side.md).  The conversation is the same, but for its end:
//   client  {"leave": true}
//   server  {"left": true}: nothing is written by this one any more
// A file belongs to one conversation at a time; the one that began the upload ends it, when all
// others have left.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/one/chain.h"

namespace rsync {

inline constexpr int protocol_version = 1;
inline constexpr int token_digits = 32;

struct UploadFile {
  std::string name = {};  // of the backup directory: disk.0.3, vm.xml
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  unsigned mode = 0600;
};

struct Upload {
  std::string name = {};  // wanted, also by an interrupted upload that goes on
  std::string key = {};   // 64 hexadecimal digits: what is uploaded, the same only if all bytes are
  std::vector<UploadFile> files = {};
  bool archive = true;  // files get the mode and the time that they have here (-a)
  bool sparse = true;   // zeros become holes (-S)
};

// What an interrupted upload left of a file.
struct Had {
  std::uint64_t size = 0;
  bool done = false;        // the whole file, found right
  std::string sha256 = {};  // of these bytes; in a greeting only of what is done
};

// A file of an older backup that the new one may be built from, since its signature lies beside it:
// "rsig.<disk>.<increment>", as librsync writes it, and "blocks.<disk>.<increment>" (blocks.h).
// Both are files of the upload like any other.
struct Base {
  std::string name = {};  // of the backup
  std::string file = {};  // there
  std::uint64_t size = 0;
  std::map<std::string, std::string> side = {};  // their names, and the SHA-256 of each: who
                                                 // uploads may have them still
};

struct Request {
  std::string doing = {};  // "do"
  std::string base = {};   // an absolute path
  int vm = -1;
  std::vector<std::string> names = {};
  std::string name = {}, file = {};  // of a backup, in it
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length = {};
  Chain chain = {};
  int disk = -1;
  int keep = 0;
  std::string depth = {};  // structure, data
  std::map<std::string, std::string> known =
      {};  // sums.<disk>.<increment>, vmvault.json.<increment>
  Upload upload = {};
  std::string token = {};
};

inline constexpr std::size_t longest_request = std::size_t{256} << 20;  // sums of 16 TiB

// With the line's end.
std::string encode(const Request& request);
// BadRequest: not readable, or a request lacks what belongs to it.
Request decode_request(std::string_view line);

// What the client says.
struct FileBegin {
  std::string file = {};
  std::uint64_t from = 0;
  std::optional<std::string> base = {};  // the name of a Base's backup
};
struct FileEnd {
  std::uint64_t size = 0;
  std::string sha256 = {};
};
struct AskHad {
  std::string file;
};
struct AskBase {
  std::string file;
};
struct Fetch {
  std::string side, of;
};
struct Commit {};
struct Discard {};
struct Leave {};
using ClientMessage =
    std::variant<FileBegin, FileEnd, AskHad, AskBase, Fetch, Commit, Discard, Leave>;

std::string encode(const ClientMessage& message);
ClientMessage decode_client(std::string_view json);  // throws Error

// What the server says.
struct Greeting {
  std::string name = {};
  std::string token = {};                 // 32 hexadecimal digits, for `join`
  std::map<std::string, Had> files = {};  // by name
};
struct FileResult {
  std::string file = {};
  bool ok = false;
  std::string why = {};
};
struct FileHad {
  Had had = {};
};
struct FileBase {
  std::optional<Base> base = {};
};
struct SideSize {
  std::uint64_t size = 0;
};
struct Committed {
  std::string name = {};
};
struct Discarded {};
struct Left {};
struct Failure {
  std::string why = {};
};
using ServerMessage = std::variant<Greeting, FileResult, FileHad, FileBase, SideSize, Committed,
                                   Discarded, Left, Failure>;

std::string encode(const ServerMessage& message);
ServerMessage decode_server(std::string_view json);  // throws Error

[[noreturn]] void throw_unexpected(const ServerMessage& message);
// The server's next message, which must be a T.  Throws Error; a Failure with what it says.
template <class T>
T expect(std::string_view json) {
  auto message = decode_server(json);
  if (auto* it = std::get_if<T>(&message)) return std::move(*it);
  throw_unexpected(message);
}

// Six lower case hexadecimal digits.
bool is_backup_name(std::string_view name);
// A file in a backup's directory: no separator, no dot in front, nothing odd.
bool is_file_name(std::string_view name);
bool is_sha256(std::string_view text);  // 64 lower case hexadecimal digits
bool is_token(std::string_view text);   // 32 of them

// "rsig.0.3" for "disk.0.3", and "blocks.0.3"; nullopt: not the file of a disk.
std::optional<std::string> signature_name(std::string_view disk_file);
std::optional<std::string> blocks_name(std::string_view disk_file);

}  // namespace rsync
