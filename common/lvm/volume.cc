// SPDX-License-Identifier: Apache-2.0
#include "common/lvm/volume.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/json.h"
#include "common/lvm/program.h"
#include "common/number.h"

using nlohmann::json;

namespace lvm {
namespace {

constexpr double most_metadata_percent = 90;
constexpr std::uint64_t extent = std::uint64_t{4} << 20;  // sizes are whole ones, mostly

bool is_name(std::string_view text) {
  constexpr std::string_view letters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-";
  return !text.empty() && text.size() <= 127 && text.front() != '-' && text != "." &&
         text != ".." && text.find_first_not_of(letters) == text.npos;
}

std::string doubled(std::string_view name) {
  std::string out;
  for (const char c : name) out += c == '-' ? "--" : std::string{c};
  return out;
}

// Without empty ones.
std::vector<std::string> split(const std::string& text, std::string_view between) {
  std::vector<std::string> out;
  for (std::size_t at = 0; (at = text.find_first_not_of(between, at)) != text.npos;) {
    const auto end = std::min(text.find_first_of(between, at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

std::vector<std::string> with_names(std::vector<std::string> arguments,
                                    const std::vector<Volume>& volumes) {
  arguments.emplace_back("--");
  for (const auto& one : volumes) arguments.push_back(one.display());
  return arguments;
}

std::string names_of(const std::vector<Volume>& volumes) {
  std::string out;
  for (const auto& one : volumes) out += (out.empty() ? "" : ", ") + one.display();
  return out;
}

Info parse_info(const json& in) {
  const auto text = [&](const char* name) { return in.at(name).get<std::string>(); };
  Info out{.name = text("lv_name"),
           .pool = text("pool_lv"),
           .origin = text("origin"),
           .thin_id = std::nullopt,
           .size = 0,
           .used_metadata_percent = std::strtod(text("metadata_percent").c_str(), nullptr),
           .active = text("lv_active").starts_with("active"),  // or "active exclusively"
           .open = text("lv_device_open") == "open",
           .tags = split(text("lv_tags"), ",")};
  const auto size = parse_number(text("lv_size"));
  if (!size || *size < 0) throw Error{"lvs says a size that is none"};
  out.size = static_cast<std::uint64_t>(*size);
  if (const auto id = parse_number(text("thin_id")); id && *id >= 0)
    out.thin_id = static_cast<std::uint64_t>(*id);
  return out;
}

}  // namespace

std::string Volume::mapper_name() const { return doubled(group) + "-" + doubled(name); }

Volume parse_volume(std::string_view text) {
  const auto slash = text.find('/');
  const Volume out{std::string{text.substr(0, slash)},
                   slash == text.npos ? "" : std::string{text.substr(slash + 1)}};
  if (!is_name(out.group) || !is_name(out.name))
    throw BadRequest{"no name of a logical volume: '" + one_line(text) + "'"};
  return out;
}

std::vector<Info> parse_volumes(const std::string& text) {
  try {
    const json in = parse_json(text);
    std::vector<Info> out;
    for (const auto& report : in.at("report"))
      for (const auto& one : report.at("lv")) out.push_back(parse_info(one));
    return out;
  } catch (const json::exception& e) {
    throw Error{std::string{"what lvs says cannot be read: "} + e.what()};
  }
}

std::vector<Info> volumes(const std::string& group, const Access& access) {
  return parse_volumes(insist(program("lvs",
                                      {"--reportformat", "json", "--units", "b", "--nosuffix", "-o",
                                       "lv_name,pool_lv,origin,thin_id,lv_size,lv_active,lv_device_"
                                       "open,metadata_percent,lv_tags",
                                       "--", group},
                                      access),
                              "list the volumes of " + group));
}

const Info* find(const std::vector<Info>& all, std::string_view name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Info& one) { return one.name == name; });
  return found == all.end() ? nullptr : &*found;
}

void create_snapshot(const Volume& of, const std::string& name, const std::string& tag,
                     const Access& access) {
  std::vector<std::string> arguments{"-qq", "-y", "-s", "-k", "y", "-n", name};
  if (!tag.empty()) arguments.insert(arguments.end(), {"--addtag", tag});
  arguments.insert(arguments.end(), {"--", of.display()});
  insist(program("lvcreate", arguments, access), "make the snapshot " + of.beside(name).display());
}

void activate(const std::vector<Volume>& volumes, const Access& access) {
  if (volumes.empty()) return;
  insist(program("lvchange", with_names({"-qq", "-K", "-ay"}, volumes), access),
         "activate " + names_of(volumes));
}

void deactivate(const std::vector<Volume>& volumes, const Access& access) {
  if (volumes.empty()) return;
  insist(program("lvchange", with_names({"-qq", "-an"}, volumes), access),
         "deactivate " + names_of(volumes));
}

void remove(const std::vector<Volume>& volumes, const Access& access) {
  if (volumes.empty()) return;
  insist(program("lvremove", with_names({"-qq", "-y"}, volumes), access),
         "remove " + names_of(volumes));
}

void rename(const Volume& from, const Volume& to, const Access& access) {
  insist(program("lvrename", {"-qq", "--", from.group, from.name, to.name}, access),
         "rename " + from.display() + " to " + to.name);
}

void create(const Volume& volume, const std::string& pool, std::uint64_t size,
            const Access& access) {
  const auto bytes = std::to_string(size) + "b";
  std::vector<std::string> arguments{"-qq", "-y", "-k", "n",  "-W",
                                     "n",   "-Z", "n",  "-n", volume.name};
  if (pool.empty()) {
    arguments.insert(arguments.end(), {"-L", bytes, "--", volume.group});
  } else {
    arguments = {"-qq",
                 "-y",
                 "-k",
                 "n",
                 "-n",
                 volume.name,
                 "-V",
                 bytes,
                 "--thin",
                 "--",
                 volume.beside(pool).display()};
  }
  insist(program("lvcreate", arguments, access), "make the volume " + volume.display());
}

void add_tag(const Volume& volume, const std::string& tag, const Access& access) {
  insist(program("lvchange", {"-qq", "--addtag", tag, "--", volume.display()}, access),
         "mark " + volume.display());
}

void remove_tag(const Volume& volume, const std::string& tag, const Access& access) {
  insist(program("lvchange", {"-qq", "--deltag", tag, "--", volume.display()}, access),
         "mark " + volume.display());
}

void make_room(const Volume& pool, const std::vector<Info>& all, std::uint64_t more,
               const Access& access) {
  const Info* info = find(all, pool.name);
  if (!info) throw Error{"there is no thin pool " + pool.display()};
  if (info->used_metadata_percent > most_metadata_percent)
    throw Error{"the metadata of the thin pool " + pool.display() +
                " is nearly full: extend it (lvextend --poolmetadatasize) before the next backup"};
  std::uint64_t wanted = more;
  for (const auto& one : all)
    if (one.pool == pool.name) wanted += one.size;
  if (wanted <= info->size) return;
  const auto size = (wanted + extent - 1) / extent * extent;
  insist(
      program("lvextend", {"-qq", "-L", std::to_string(size) + "b", "--", pool.display()}, access),
      "extend the thin pool " + pool.display() + " (it could run full else)");
}

void resume_if_suspended(const Volume& volume, const Access& access) {
  const auto said =
      program("dmsetup", {"info", "-c", "--noheadings", "-o", "suspended", volume.mapper_name()},
              access)
          .run();
  if (!said.ok() || said.out.find("Suspended") == std::string::npos) return;
  insist(program("lvchange", {"-qq", "--refresh", "--", volume.display()}, access),
         "set " + volume.display() + " going again");
}

// "0 131072 thin 253:2 5 253:7": from where, how long, pool, number, and what lies below.
bool has_external_origin(const Volume& volume, const Access& access) {
  const auto table = insist(program("dmsetup", {"table", volume.mapper_name()}, access),
                            "look at " + volume.display());
  const auto words = split(table, " \n");
  if (words.size() < 5 || words[2] != "thin")
    throw Error{volume.display() + " is no thin volume: '" + one_line(table) + "'"};
  return words.size() > 5;
}

}  // namespace lvm
