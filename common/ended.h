// SPDX-License-Identifier: Apache-2.0
// How a program ended that did not say why.
#pragma once

#include <string>

// "`who` ended with status 3"; for the status of a signal, as shells and Child::wait() have it:
// "`who` was killed by SIGKILL", and what that often means.  Ours, and ssh's of a program
// elsewhere.
std::string ended(const std::string& who, int status);
