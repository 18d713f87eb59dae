// SPDX-License-Identifier: Apache-2.0
#include "drivers/lib/document.h"

#include "common/error.h"

Xml read_document(std::string_view text, const std::string& what) try {
  return Xml{text};
} catch (const BadRequest&) {
  throw Error{what + " is damaged: it is no XML document that can be read"};
}
