// SPDX-License-Identifier: Apache-2.0
#include "drivers/vmm/lib/vm_log.h"

#include "drivers/lib/mad_message.h"

namespace front {

std::optional<std::string> vm_log(std::string_view line, std::string_view program,
                                  std::int64_t vm_id) {
  const auto said = mad::parse_said(line);
  if (!said.severity) return std::nullopt;
  const std::string prefix = std::string{program} + ": ";
  std::string_view text = said.text;
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  return mad::log_line(*said.severity, vm_id, text);
}

}  // namespace front
