// SPDX-License-Identifier: Apache-2.0
// Documents that are nobody's request: files of ours, and what libvirt says.
#pragma once

#include <string>
#include <string_view>

#include "common/one/xml.h"

// An Error that names `what` ("the datastore file '/x/100.xml'") when the text is not readable.
Xml read_document(std::string_view text, const std::string& what);
