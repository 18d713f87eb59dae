// SPDX-License-Identifier: Apache-2.0
#include "common/one/machine_state.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "common/error.h"

namespace fs = std::filesystem;

namespace machine_state {
namespace {

constexpr std::string_view member = "tpm/tpm2-00.permall";
constexpr int gzip_format = 15 + 16;  // zlib's code for it, with the largest window
constexpr std::size_t block = 512;

// The header of tar (POSIX ustar).
struct Header {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
  char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], padding[12];
};
static_assert(sizeof(Header) == block);

// Of all bytes, with blanks in the place of the sum itself.
unsigned checksum(Header header) {
  std::fill(std::begin(header.checksum), std::end(header.checksum), ' ');
  std::array<unsigned char, block> bytes;
  std::memcpy(bytes.data(), &header, block);
  unsigned sum = 0;
  for (const auto byte : bytes) sum += byte;
  return sum;
}

template <std::size_t N>
void put_octal(char (&field)[N], std::size_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "%0*zo", static_cast<int>(N - 1), value);
  std::memcpy(field, text, N - 1);
}

template <std::size_t N>
std::optional<std::size_t> octal(const char (&field)[N]) {
  std::size_t value = 0;
  bool any = false;
  for (const char c : field) {
    if (c == ' ' && !any) continue;
    if (c == '\0' || c == ' ') break;
    if (c < '0' || c > '7') return std::nullopt;
    value = value * 8 + static_cast<std::size_t>(c - '0');
    any = true;
  }
  return any ? std::optional{value} : std::nullopt;
}

std::string tar_of(std::string_view content) {
  Header header{};
  std::memcpy(header.name, member.data(), member.size());
  put_octal(header.mode, 0600);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.size, content.size());
  put_octal(header.mtime, 0);
  header.type = '0';
  std::memcpy(header.magic, "ustar", sizeof header.magic);
  std::memcpy(header.version, "00", sizeof header.version);
  put_octal(header.checksum, checksum(header));
  std::string out(block, '\0');
  std::memcpy(out.data(), &header, block);
  out += content;
  out.resize((out.size() + block - 1) / block * block + 2 * block);
  return out;
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_format, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    throw Error{"cannot compress: out of memory"};
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);  // cannot fail: the output has the room that zlib asked for
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// nullopt: damaged, cut off, or larger than `most`.
std::optional<std::string> gunzip(std::string_view packed, std::size_t most) {
  z_stream stream{};
  if (inflateInit2(&stream, gzip_format) != Z_OK) throw Error{"cannot decompress: out of memory"};
  std::string out;
  std::array<char, 65536> buffer;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  int state = Z_OK;
  while (state == Z_OK && out.size() <= most) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = buffer.size();
    state = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer.data(), buffer.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  return state == Z_STREAM_END && out.size() <= most ? std::optional{std::move(out)} : std::nullopt;
}

// The content of the member, in a tar of any tool: "./" may be before its name.
std::optional<std::string_view> find_member(std::string_view tar) {
  while (tar.size() >= block) {
    Header header;
    std::memcpy(&header, tar.data(), block);
    tar.remove_prefix(block);
    const auto size = octal(header.size);
    if (!size || octal(header.checksum) != checksum(header) || *size > tar.size())
      return std::nullopt;
    std::string_view name{header.name, strnlen(header.name, sizeof header.name)};
    if (name.starts_with("./")) name.remove_prefix(2);
    if (name == member && (header.type == '0' || header.type == '\0')) return tar.substr(0, *size);
    tar.remove_prefix(std::min(tar.size(), (*size + block - 1) / block * block));
  }
  return std::nullopt;
}

// libvirt keeps the state of a session below its configuration.
fs::path libvirts(std::string_view uri, const char* of_system, const char* of_session) {
  if (!uri.starts_with("qemu:///session")) return of_system;
  if (const char* config = std::getenv("XDG_CONFIG_HOME"); config && *config)
    return fs::path{config} / of_session;
  const char* home = std::getenv("HOME");
  return fs::path{home ? home : "/"} / ".config" / of_session;
}

}  // namespace

fs::path default_swtpm_dir(std::string_view libvirt_uri) {
  return libvirts(libvirt_uri, "/var/lib/libvirt/swtpm", "libvirt/qemu/swtpm");
}

fs::path default_nvram_dir(std::string_view libvirt_uri) {
  return libvirts(libvirt_uri, "/var/lib/libvirt/qemu/nvram", "libvirt/qemu/nvram");
}

std::string pack_tpm(std::string_view state) { return gzip(tar_of(state)); }

std::string unpack_tpm(std::string_view document) {
  const auto tar = gunzip(document, largest_tpm + 64 * block);
  const auto state = tar ? find_member(*tar) : std::nullopt;
  if (!state)
    throw Error{std::string{tpm_document} + " is damaged: there is no state of a TPM in it"};
  return std::string{*state};
}

}  // namespace machine_state
