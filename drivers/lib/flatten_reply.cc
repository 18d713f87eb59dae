// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/flatten_reply.h"

#include "common/error.h"
#include "common/number.h"

namespace state {

std::string why_not_merged(const ImageRecord& image, int keep) {
  const auto merged = image.increments.size() - static_cast<std::size_t>(keep) + 1;
  for (std::size_t i = 0; i < merged; ++i)
    if (const auto& one = image.increments[i]; !one.damage.empty())
      return "increment " + std::to_string(one.id) + " of image " + std::to_string(image.id) +
             " is corrupt, and would go into the merged one: " + one_line(one.damage);
  return "";
}

FlattenReply parse_flatten_reply(std::string text, const ImageRecord& image, int keep) {
  text = one_line(text);
  const auto blank = text.find(' ');
  const auto size = parse_number(text.substr(0, blank));
  const Error useless{"the datastore's answer about image " + std::to_string(image.id) +
                      " is not readable: the same command again continues"};
  if (!size || *size < 0 || blank == text.npos) throw useless;
  FlattenReply reply{.size_mib = *size, .chain = Chain::parse(text.substr(blank + 1))};
  const auto before = image.chain().increments();
  const auto& after = reply.chain.increments();
  if (after.size() > static_cast<std::size_t>(keep) || after.size() > before.size()) throw useless;
  for (std::size_t i = 0; i < after.size(); ++i) {
    const auto& old = before[before.size() - after.size() + i];
    if (old.id != after[i].id || (i > 0 && old != after[i])) throw useless;
  }
  return reply;
}

}  // namespace state
