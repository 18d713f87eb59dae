// SPDX-License-Identifier: Apache-2.0
// What the XML of several objects has in common: for objects*.cc alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "drivers/lib/objects.h"
#include "drivers/lib/xml_writer.h"

namespace objects {

void identity(XmlWriter& out, int id, int owner, std::string_view name, const Owners& owners);
// Its owner uses and manages it; others use it if `group` is 1.
void permissions(XmlWriter& out, int group);
// TEMPLATE's content of a template text; what cannot be read says so.
std::string attributes_of(const std::string& text);
// STEP, DONE and TOTAL, in bytes; nothing for none.
void add_progress(XmlWriter& out, const std::optional<ProgressReport>& progress);

}  // namespace objects
