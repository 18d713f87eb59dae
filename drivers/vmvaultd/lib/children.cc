// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmvaultd/lib/children.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>

#include "drivers/lib/mad_message.h"

namespace vmvaultd {
namespace {

constexpr std::size_t longest_reason = 4096;

}  // namespace

void Children::run(Kind kind, int vm, std::vector<std::string> words, Heard heard) {
  words.insert(words.begin(), self_);
  const auto said = std::make_shared<std::string>();
  const auto next = [=](const mad::Outcome* last,
                        std::string_view error) -> std::optional<mad::Order> {
    if (!last && error.empty()) return mad::Order{.argv = words};
    const bool good = last && last->status == 0 && !last->late;
    std::string why{error};
    if (last && !good) why = last->late ? "it takes too long" : *said;
    heard(good ? &last->out : nullptr, why);
    return std::nullopt;
  };
  pool(kind).add({.id = vm, .next = next, .said = [this, vm, said](std::string_view line) {
                    const auto parsed = mad::parse_said(line);
                    if (parsed.severity)
                      log_(*parsed.severity, vm, parsed.text);
                    else if (said->size() < longest_reason)
                      *said += parsed.text;
                  }});
}

void Children::run_hook(int vm, std::vector<std::string> argv, std::string document) {
  const mad::Order order{.argv = std::move(argv), .input = std::move(document)};
  const auto next = [this, order, vm](const mad::Outcome* last,
                                      std::string_view error) -> std::optional<mad::Order> {
    if (!last && error.empty()) return order;
    if (!last || last->status != 0) log_('W', vm, "the hook has failed");
    return std::nullopt;
  };
  pool(Kind::hook).add({.id = vm, .next = next, .said = [this, vm](std::string_view line) {
                          log_('I', vm, "hook: " + std::string{line});
                        }});
}

void Children::advance() {
  for (auto& pool : pools_) pool.advance();
}

void Children::watch(std::vector<pollfd>& fds) const {
  for (const auto& pool : pools_) pool.watch(fds);
}

int Children::timeout() const {
  int first = -1;
  for (const auto& pool : pools_)
    if (const int one = pool.timeout(); one >= 0) first = first < 0 ? one : std::min(first, one);
  return first;
}

}  // namespace vmvaultd
