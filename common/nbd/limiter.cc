// SPDX-License-Identifier: Apache-2.0
#include "common/nbd/limiter.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "common/number.h"

namespace nbd {
namespace {

constexpr std::chrono::milliseconds saved_up{250};

}  // namespace

Limiter::Clock::time_point Limiter::admit(std::uint64_t bytes, Clock::time_point now) {
  const auto share = [](std::uint64_t what, std::uint64_t rate) {
    return rate == 0 ? 0.0 : static_cast<double>(what) / static_cast<double>(rate);
  };
  const std::chrono::duration<double> cost{
      std::max(share(bytes, rates_.bytes_per_second), share(1, rates_.requests_per_second))};
  const std::lock_guard lock{mutex_};
  next_ = std::max(next_, now - saved_up);
  const auto begin = std::max(next_, now);
  next_ += std::chrono::ceil<Clock::duration>(cost);
  return begin;
}

std::optional<std::uint64_t> parse_rate(std::string_view text) {
  const auto ends_with = [&](char c) {
    return text.size() > 1 && std::toupper(static_cast<unsigned char>(text.back())) == c;
  };
  if (ends_with('B')) text.remove_suffix(1);
  int shift = 0;
  for (const auto& [unit, bits] : {std::pair{'K', 10}, {'M', 20}, {'G', 30}})
    if (ends_with(unit)) shift = bits;
  if (shift != 0) text.remove_suffix(1);
  const auto number = parse_number(text);
  if (!number || *number < 0 || *number > INT64_MAX >> shift) return std::nullopt;
  return static_cast<std::uint64_t>(*number) << shift;
}

}  // namespace nbd
