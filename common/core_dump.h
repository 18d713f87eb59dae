// SPDX-License-Identifier: Apache-2.0
#pragma once

// From now on neither this process nor a child of it leaves an image of its memory behind when it
// crashes: there are secrets in it.
void forbid_core_dumps();
