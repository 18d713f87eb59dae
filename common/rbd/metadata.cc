// SPDX-License-Identifier: Apache-2.0
#include "common/rbd/metadata.h"

#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/error.h"
#include "common/rbd/program.h"

using nlohmann::json;

namespace rbd {

std::map<std::string, std::string> metadata(const Image& image, const Access& access) {
  const std::string doing = "read what is noted" + of(image);
  const auto text = insist(program(image, {"image-meta", "ls", "--format=json"}, access), doing);
  if (text.empty()) return {};  // which is how rbd says that there is nothing
  try {
    return json::parse(text).get<std::map<std::string, std::string>>();
  } catch (const json::exception& e) {
    throw Error{"cannot " + doing + ": " + e.what()};
  }
}

void set_metadata(const Image& image, const std::string& key, const std::string& value,
                  const Access& access) {
  auto command = program(image, {"image-meta", "set"}, access);
  insist(command.arg(key).arg(value), "note " + key + of(image));
}

void remove_metadata(const Image& image, const std::string& key, const Access& access) {
  const std::string doing = "forget " + key + of(image);
  auto command = program(image, {"image-meta", "rm"}, access);
  const auto finished = finish(command.arg(key), doing);
  if (!finished.ok() && finished.status != ENOENT) throw failure(doing, finished);
}

}  // namespace rbd
