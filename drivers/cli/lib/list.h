// SPDX-License-Identifier: Apache-2.0
// vmvault list, show and status: what there is, and what goes on.
#pragma once

#include "drivers/cli/lib/app.h"

namespace cli {

enum class Form { text, json };

void list(const App& app, Form form);
void show(const App& app, int image, Form form);
void status(App& app, Form form);

}  // namespace cli
