// SPDX-License-Identifier: Apache-2.0
#include "tm/host/lib/bitmaps.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/command.h"
#include "common/error.h"

using nlohmann::json;

namespace host {
namespace {

Bitmap parse_bitmap(const json& in) {
  Bitmap out{.name = in.at("name")};
  for (const auto& flag : in.at("flags")) {
    if (flag == "in-use") out.in_use = true;
    if (flag == "auto") out.enabled = true;
  }
  return out;
}

}  // namespace

ImageInfo image_info(const std::filesystem::path& file, const std::string& format, Access access) {
  Command command{"qemu-img", "info", "--output=json", "-f", format};
  if (access == Access::shared) command.arg("-U");
  const std::string text = command.arg("--").arg(file.string()).output();
  try {
    const json in = json::parse(text);
    ImageInfo out{.virtual_size = in.at("virtual-size"), .bitmaps = {}};
    out.encrypted = in.value("encrypted", false);
    const json data = in.value("format-specific", json::object()).value("data", json::object());
    if (data.contains("bitmaps"))
      for (const auto& one : data.at("bitmaps")) out.bitmaps.push_back(parse_bitmap(one));
    return out;
  } catch (const json::exception&) {
    throw Error{"cannot read what qemu-img says of '" + file.string() + "'"};
  }
}

namespace {

// Not to be broken off: qemu-img that is killed while it writes leaves every bitmap of the image
// marked as in use, which is to say worthless.
void change_bitmap(const char* how, const std::filesystem::path& file, const std::string& name) {
  const auto finished = Command{"qemu-img", "bitmap", how, "-f", "qcow2", "--", file.string(), name}
                            .shielded()
                            .deadline(std::chrono::minutes{5})
                            .run();
  if (!finished.ok())
    throw Error{"cannot change the bitmap " + name + " of '" + file.string() +
                "': " + last_line(finished.err)};
}

}  // namespace

void add_bitmap(const std::filesystem::path& file, const std::string& name) {
  change_bitmap("--add", file, name);
}

void remove_bitmap(const std::filesystem::path& file, const std::string& name) {
  change_bitmap("--remove", file, name);
}

}  // namespace host
