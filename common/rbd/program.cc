// SPDX-License-Identifier: Apache-2.0
#include "common/rbd/program.h"

#include "common/ended.h"

namespace rbd {
namespace {

constexpr std::chrono::seconds to_say_so{5};  // what rbd has for its own words after a deadline

Command reaching(std::string_view name, const Image& image,
                 std::initializer_list<std::string_view> verb, const Access& access) {
  Command out{name};
  for (const auto word : verb) out.arg(word);
  if (!image.user.empty()) out.arg("--id=" + image.user);
  if (!image.conf.empty()) out.arg("--conf=" + image.conf);
  if (!image.key_file.empty()) out.arg("--keyfile=" + image.key_file);
  const auto limit = std::to_string(access.deadline.count());
  for (const std::string limited : {"rados-osd-op", "rados-mon-op", "client-mount"})
    out.arg("--" + limited + "-timeout=" + limit);
  if (access.shielded) out.shielded();
  return out.deadline(access.deadline + to_say_so)
      .stop_with({.signal = SIGTERM, .grace = std::chrono::seconds{1}});
}

}  // namespace

Command program_for_cluster(const Image& image, std::initializer_list<std::string_view> verb,
                            const Access& access) {
  return reaching("rbd", image, verb, access);
}

Command rados(const Image& image, std::initializer_list<std::string_view> verb,
              const Access& access) {
  auto out = reaching("rados", image, verb, access);
  out.arg("--pool=" + image.pool);
  if (!image.name_space.empty()) out.arg("--namespace=" + image.name_space);
  return out;
}

Command program(const Image& image, std::initializer_list<std::string_view> verb,
                const Access& access) {
  auto out = program_for_cluster(image, verb, access);
  out.arg("--pool=" + image.pool).arg("--image=" + image.name);
  if (!image.name_space.empty()) out.arg("--namespace=" + image.name_space);
  return out;
}

Error failure(const std::string& doing, const Finished& finished) {
  const std::string words = last_line(finished.err);
  return Error{"cannot " + doing + ": " + (words.empty() ? ended("rbd", finished.status) : words)};
}

Finished finish(const Command& command, const std::string& doing) try {
  return command.run();
} catch (const Cancelled&) {
  throw;
} catch (const Error& e) {
  throw Error{"cannot " + doing + ": " + e.what()};
}

std::string insist(const Command& command, const std::string& doing) {
  const Finished finished = finish(command, doing);
  if (!finished.ok()) throw failure(doing, finished);
  return finished.out;
}

std::string of(const Image& image) { return " of the Ceph image " + image.display(); }

}  // namespace rbd
