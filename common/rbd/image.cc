// SPDX-License-Identifier: Apache-2.0
#include "common/rbd/image.h"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/number.h"
#include "common/rbd/program.h"

using nlohmann::json;

namespace rbd {
namespace {

constexpr std::chrono::hours longest_diff{2};  // of an image with millions of objects

bool is_name(std::string_view text) {
  constexpr std::string_view others = "._-+=~,";
  const auto good = [&](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           others.find(static_cast<char>(c)) != others.npos;
  };
  return !text.empty() && text.size() <= 255 && std::all_of(text.begin(), text.end(), good);
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < line.size();) {
    const auto begin = line.find_first_not_of(' ', at);
    if (begin == line.npos) break;
    const auto end = std::min(line.find(' ', begin), line.size());
    out.push_back(line.substr(begin, end - begin));
    at = end;
  }
  return out;
}

bool has_all(const std::vector<std::string>& words, const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  });
}

// qemu takes ":", "=" and "@" for its own unless a backslash comes before.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ':' || c == '=' || c == '@' || c == '\\' || c == '/') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string Image::display() const {
  return pool + "/" + (name_space.empty() ? "" : name_space + "/") + name;
}

Image parse_image(std::string_view text) {
  Image out;
  const auto first = text.find('/');
  const auto last = text.rfind('/');
  out.pool = text.substr(0, first);
  if (first != text.npos) out.name = text.substr(last + 1);
  if (first != last) out.name_space = text.substr(first + 1, last - first - 1);
  const bool whole = first != text.npos && is_name(out.pool) && is_name(out.name) &&
                     (first == last || is_name(out.name_space));
  if (!whole) throw BadRequest{"no name of a Ceph image: '" + one_line(text) + "'"};
  return out;
}

std::vector<Snapshot> snapshots(const Image& image, const Access& access) {
  const std::string doing = "list the snapshots" + of(image);
  const std::string text = insist(program(image, {"snap", "ls", "--format=json"}, access), doing);
  try {
    std::vector<Snapshot> out;
    for (const auto& one : json::parse(text))
      out.push_back({.name = one.at("name"), .size = one.at("size"), .id = one.at("id")});
    return out;
  } catch (const json::exception& e) {
    throw Error{"cannot " + doing + ": " + e.what()};
  }
}

void create_snapshot(const Image& image, const std::string& snapshot, const Access& access) {
  insist(program(image, {"snap", "create", "--no-progress", "--snap=" + snapshot}, access),
         "make the snapshot " + snapshot + of(image));
}

std::optional<Process> maker_of(const Image& image, const std::string& snapshot) {
  std::vector<std::string> wanted{"snap", "create", "--snap=" + snapshot, "--pool=" + image.pool,
                                  "--image=" + image.name};
  if (!image.name_space.empty()) wanted.push_back("--namespace=" + image.name_space);
  for (const pid_t pid : all_processes())
    if (auto process = Process::living(pid); process && has_all(process->arguments(), wanted))
      return process;
  return std::nullopt;
}

void protect_snapshot(const Image& image, const std::string& snapshot, const Access& access) {
  insist(program(image, {"snap", "protect", "--snap=" + snapshot}, access),
         "protect the snapshot " + snapshot + of(image));
}

void remove_snapshot(const Image& image, const std::string& snapshot, const Access& access) {
  const std::string doing = "remove the snapshot " + snapshot + of(image);
  // It may be unprotected already, or be gone: the removal itself says what matters.
  const auto unprotected =
      finish(program(image, {"snap", "unprotect", "--snap=" + snapshot}, access), doing);
  if (unprotected.status == ENOENT) return;
  if (unprotected.status == ETIMEDOUT) throw failure(doing, unprotected);
  const auto removed =
      finish(program(image, {"snap", "rm", "--no-progress", "--snap=" + snapshot}, access), doing);
  if (removed.ok() || removed.status == ENOENT) return;
  const bool busy = !unprotected.ok() && unprotected.status != EINVAL;
  throw failure(doing, busy ? unprotected : removed);
}

qcow2::Extents difference(const Image& image, const Snapshot& snapshot,
                          const std::optional<std::string>& since, const Access& access) {
  const std::string doing = "list what snapshot " + snapshot.name + of(image) + " has" +
                            (since ? " that " + *since + " has not" : "");
  auto command = program(image, {"diff", "--snap=" + snapshot.name}, access);
  if (since) command.arg("--from-snap=" + *since);
  DiffLines lines{snapshot.size};
  insist(command.out_lines([&](std::string_view line) { lines.add(line); }).deadline(longest_diff),
         doing);
  return lines.extents();
}

// "0           4194304  data", below a line "Offset Length Type".
void DiffLines::add(std::string_view line) {
  const auto words = words_of(line);
  if (words.empty() || words[0] == "Offset") return;
  const auto number = [&](std::size_t i) -> std::optional<std::uint64_t> {
    const auto value = words.size() == 3 ? parse_number(words[i]) : std::nullopt;
    if (!value || *value < 0) return std::nullopt;
    return static_cast<std::uint64_t>(*value);
  };
  const auto offset = number(0), length = number(1);
  const std::uint64_t known = extents_.empty() ? 0 : extents_.back().end();
  if (!offset || !length || *offset < known || *offset > size_ ||
      (words[2] != "data" && words[2] != "zero"))
    throw Error{"rbd diff says what is not understood: '" + one_line(line) + "'"};
  const auto content = words[2] == "data" ? qcow2::Content::data : qcow2::Content::zero;
  const std::uint64_t here = std::min(*length, size_ - *offset);
  if (here > 0) append(extents_, {*offset, here, content});
}

std::string qemu_name(const Image& image, const std::string& snapshot,
                      std::chrono::seconds deadline) {
  std::string out = "rbd:" + escaped(image.pool) + "/";
  if (!image.name_space.empty()) out += escaped(image.name_space) + "/";
  out += escaped(image.name) + "@" + escaped(snapshot);
  if (!image.user.empty()) out += ":id=" + escaped(image.user);
  if (!image.conf.empty()) out += ":conf=" + escaped(image.conf);
  if (!image.key_file.empty()) out += ":keyfile=" + escaped(image.key_file);
  const auto limit = std::to_string(deadline.count());
  for (const std::string name : {"rados_osd_op", "rados_mon_op", "client_mount"})
    out += ":" + name + "_timeout=" + limit;
  return out;
}

}  // namespace rbd
