// SPDX-License-Identifier: Apache-2.0
#include "common/rbd/diff.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace rbd {
namespace {

constexpr std::string_view diff_banner[] = {"rbd diff v1\n", "rbd diff v2\n"};
constexpr std::string_view image_banner = "rbd image v2\n";
constexpr std::string_view diffs_banner = "rbd image diffs v2\n";
constexpr std::uint64_t longest_text = 4096;
constexpr std::uint64_t most_diffs = 4096;

constexpr char from_tag = 'f', to_tag = 't', size_tag = 's', protection_tag = 'p', data_tag = 'w',
               zero_tag = 'z', end_tag = 'e', image_end_tag = 'E';

void put_number(std::vector<std::byte>& out, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

}  // namespace

bool is_diff(std::span<const std::byte> begin) {
  const std::string_view text{reinterpret_cast<const char*>(begin.data()), begin.size()};
  return text.starts_with(diff_banner[0]) || text.starts_with(diff_banner[1]) ||
         text.starts_with(image_banner.substr(0, diff_banner[0].size()));
}

DiffReader::DiffReader(DiffInput& input, std::string name) : input_{input}, name_{std::move(name)} {
  std::array<char, diff_banner[0].size()> start{};
  input_.read(std::as_writable_bytes(std::span{start}));
  const std::string_view text{start.data(), start.size()};
  left_ = 1;
  header_read_ = true;
  if (text == diff_banner[0]) {
    version_ = 1;
  } else if (text == diff_banner[1]) {
    version_ = 2;
  } else if (text == image_banner.substr(0, text.size()) &&
             banner_is(image_banner.substr(text.size()))) {
    version_ = 2;
    read_image_header();
  } else {
    throw error("it is no export of rbd");
  }
}

Error DiffReader::error(const std::string& why) const {
  return Error{"'" + name_ + "': " + why + " (at byte " + std::to_string(input_.position()) + ")"};
}

bool DiffReader::banner_is(std::string_view wanted) {
  std::string text(wanted.size(), '\0');
  input_.read(std::as_writable_bytes(std::span{text}));
  return text == wanted;
}

std::uint64_t DiffReader::number() {
  std::array<std::byte, 8> bytes{};
  input_.read(bytes);
  std::uint64_t out = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) out = out << 8 | std::to_integer<unsigned>(bytes[i]);
  return out;
}

std::string DiffReader::text() {
  std::array<std::byte, 4> bytes{};
  input_.read(bytes);
  std::uint64_t length = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    length = length << 8 | std::to_integer<unsigned>(bytes[i]);
  if (length > longest_text) throw error("a name in it is too long");
  std::string out(length, '\0');
  input_.read(std::as_writable_bytes(std::span{out}));
  return out;
}

DiffReader::Tag DiffReader::tag(char end) {
  std::array<std::byte, 1> byte{};
  input_.read(byte);
  Tag out{.name = static_cast<char>(byte[0]), .length = 0};
  if (version_ == 2 && out.name != end) out.length = number();
  return out;
}

// Its properties are not needed: what it is restored to has its own.
void DiffReader::read_image_header() {
  for (Tag one = tag(image_end_tag); one.name != image_end_tag; one = tag(image_end_tag)) {
    if (one.length > (std::uint64_t{1} << 20)) throw error("a property of the image is too long");
    input_.skip(one.length);
  }
  if (!banner_is(diffs_banner)) throw error("it is damaged");
  left_ = number();
  if (left_ == 0 || left_ > most_diffs) throw error("it is damaged");
  header_read_ = false;
}

void DiffReader::begin_diff() {
  if (!header_read_ && !banner_is(diff_banner[1])) throw error("it is damaged");
  header_read_ = false;
  end_ = 0;
}

std::optional<DiffReader::Diff> DiffReader::next_diff() {
  if (left_ == 0) {
    if (!input_.at_end()) throw error("it goes on after its end");
    return std::nullopt;
  }
  --left_;
  begin_diff();
  Diff diff;
  bool has_size = false;
  for (;;) {
    const Tag one = tag(end_tag);
    if (one.name == size_tag) {
      diff.size = number();
      has_size = true;
    } else if (one.name == from_tag || one.name == to_tag || one.name == protection_tag) {
      read_label(diff, one);
    } else {
      ahead_ = one;
      break;
    }
  }
  if (!has_size || diff.size > qcow2::max_virtual_size) throw error("it has no size that can be");
  size_ = diff.size;
  return diff;
}

void DiffReader::read_label(Diff& diff, const Tag& tag) {
  if (tag.name == protection_tag) {
    if (version_ != 2) throw error("it is damaged");
    return input_.skip(1);  // whatever length is said (tools/rbd/action/Export.cc)
  }
  (tag.name == from_tag ? diff.from : diff.to) = text();
}

std::optional<DiffReader::Change> DiffReader::next_change() {
  if (data_left_ > 0) input_.skip(data_left_);
  data_left_ = 0;
  const Tag one = ahead_ ? *ahead_ : tag(end_tag);
  ahead_.reset();
  if (one.name == end_tag) return std::nullopt;
  if (one.name != data_tag && one.name != zero_tag) throw error("it is damaged");
  return change(one);
}

DiffReader::Change DiffReader::change(const Tag& tag) {
  const auto content = tag.name == data_tag ? qcow2::Content::data : qcow2::Content::zero;
  Change out;
  out.extent.offset = number();
  out.extent.length = number();
  out.extent.content = content;
  out.position = input_.position();
  const bool data = content == qcow2::Content::data;
  if (version_ == 2 && tag.length != 16 + (data ? out.extent.length : 0))
    throw error("it is damaged");
  if (out.extent.offset < end_ || out.extent.offset > size_ ||
      out.extent.length > size_ - out.extent.offset)
    throw error("its parts do not follow one another on the disk");
  end_ = out.extent.end();
  if (data) data_left_ = out.extent.length;
  return out;
}

void DiffReader::read(std::span<std::byte> out) {
  if (out.size() > data_left_) throw std::logic_error{"more than the change has"};
  input_.read(out);
  data_left_ -= out.size();
}

DiffWriter::DiffWriter(qcow2::Sink sink, std::uint64_t size) : sink_{std::move(sink)} {
  std::vector<std::byte> out;
  for (const char c : diff_banner[0]) out.push_back(static_cast<std::byte>(c));
  out.push_back(static_cast<std::byte>(size_tag));
  put_number(out, size);
  sink_(out);
}

void DiffWriter::data(std::uint64_t offset, std::span<const std::byte> bytes) {
  std::vector<std::byte> out{static_cast<std::byte>(data_tag)};
  put_number(out, offset);
  put_number(out, bytes.size());
  sink_(out);
  sink_(bytes);
}

void DiffWriter::finish() { sink_(std::array{static_cast<std::byte>(end_tag)}); }

}  // namespace rbd
