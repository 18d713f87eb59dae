// SPDX-License-Identifier: Apache-2.0
// Lines, URLs, numbers and settings.

#include "common/nbd/limiter.h"
#include "common/number.h"
#include "common/one/chain.h"
#include "common/one/config.h"
#include "common/one/log_line.h"
#include "common/one/vm.h"
#include "common/rbd/image.h"
#include "datastore/rsync/lib/args.h"
#include "drivers/lib/mad_message.h"
#include "drivers/lib/mad_options.h"
#include "tests/fuzz/fuzz.h"

namespace {

// In pieces, as a pipe gives them.
void lines(std::string_view input) {
  mad::LineReader whole, pieces;
  whole.add(input);
  for (std::size_t at = 0, length = 1; at < input.size(); at += length, length = length % 7 + 1)
    pieces.add(input.substr(at, length));
  for (;;) {
    const auto line = whole.next();
    fuzz::insist(line == pieces.next(), "the pieces of a line do not matter");
    if (!line) return;
    if (const auto message = mad::parse_message(*line); message && message->id)
      fuzz::insist(mad::answer(message->verb, false, *message->id, *line).find('\n') + 1 ==
                       mad::answer(message->verb, false, *message->id, *line).size(),
                   "an answer is one line");
    const auto said = mad::parse_said(*line);
    mad::log_line(said.severity.value_or('I'), said.id, said.text);
    is_log_line(*line);
  }
}
const fuzz::Register r1{"mad", lines};

void url(std::string_view input) {
  const auto url = DiskUrl::parse(input);
  fuzz::insist(DiskUrl::parse(url.text()).text() == url.text(), "a URL is read as written");
  if (!url.is_disk()) return;
  url.disk_id();
  url.file(3);
  url.vm_id();
}
const fuzz::Register r2{"url", url};

void chain(std::string_view input) {
  const auto chain = Chain::parse(input);
  fuzz::insist(Chain::parse(chain.text()).text() == chain.text(), "a chain is read as written");
}
const fuzz::Register r3{"chain", chain};

void settings(std::string_view input) {
  parse_settings(input);
  nbd::parse_rate(input);
  parse_number(input);
}
const fuzz::Register r4{"settings", settings};

void rsync_args(std::string_view input) { rsync::parse_args(input); }
const fuzz::Register r5{"rsync-args", rsync_args};

void image_name(std::string_view input) { rbd::qemu_name(rbd::parse_image(input), "s", {}); }
const fuzz::Register r6{"rbd-name", image_name};

void options(std::string_view input) {
  std::vector<std::string> words{""};
  for (const char c : input)
    if (c == '\n')
      words.emplace_back();
    else
      words.back() += c;
  mad::parse_options(words, {{'t', "threads"}, {'d', "datastores"}, {'x', "exclusive", false}});
}
const fuzz::Register r7{"mad-options", options};

}  // namespace
