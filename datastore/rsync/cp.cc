// SPDX-License-Identifier: Apache-2.0
// What a backup datastore does not do; the other names of it are in share/aliases.

#include "common/one/action.h"

int main(int argc, char** argv) { return unsupported(argc, argv); }
