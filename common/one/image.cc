// SPDX-License-Identifier: Apache-2.0
#include "common/one/image.h"

#include <algorithm>

#include "common/error.h"
#include "common/number.h"

namespace {

std::optional<int> id_if_any(const XmlNode& node, const std::string& xpath) {
  const auto text = node.find(xpath);
  if (!text || text->empty()) return std::nullopt;
  if (const auto id = parse_int(*text)) return id;
  throw BadRequest{"the " + xpath + " of the image is not a number"};
}

// The SOURCE of an image that is no backup is a path.
bool is_snapshot(const std::string& source) {
  return !source.empty() && source.size() <= 64 &&
         source.find_first_not_of("0123456789abcdefABCDEF") == source.npos;
}

std::optional<Chain> parse_chain(const XmlNode& image, const std::string& source) {
  std::vector<Increment> increments;
  for (const auto& node : image.find_all("BACKUP_INCREMENTS/INCREMENT")) {
    const auto id = id_if_any(node, "ID");
    if (!id) throw BadRequest{"an increment of the image has no ID"};
    increments.push_back({*id, node.find("SOURCE").value_or("")});
  }
  if (increments.empty() && is_snapshot(source)) increments.push_back({0, source});
  if (increments.empty()) return std::nullopt;
  std::sort(increments.begin(), increments.end(),
            [](const Increment& a, const Increment& b) { return a.id < b.id; });
  return Chain{std::move(increments)};
}

}  // namespace

Image Image::parse(const XmlNode& node) {
  if (node.name() != "IMAGE") throw BadRequest{"the request has no IMAGE"};
  Image image;
  image.id = id_if_any(node, "ID").value_or(-1);
  image.source = node.find("SOURCE").value_or("");
  image.format = node.find("FORMAT").value_or("");
  image.path = node.find("PATH").value_or("");
  image.vm_id = id_if_any(node, "VMS/ID");
  image.job_id = id_if_any(node, "TEMPLATE/BACKUP_JOB_ID");
  if (!image.job_id) image.job_id = id_if_any(node, "BACKUP_JOB_ID");
  image.chain = parse_chain(node, image.source);
  return image;
}
