// SPDX-License-Identifier: Apache-2.0
// Cancellation: the caller asks with SIGTERM or SIGINT, or by closing the stdin
// that it promised to hold, and we stop at the next wait.
//
// The signals stay blocked for the life of the program, so nothing is ever torn
// in the middle.  Every thread may ask requested(); whoever sleeps in ppoll() adds
// fd() to what it waits for.
#pragma once

#include <chrono>
#include <csignal>

namespace cancel {

// Block SIGTERM, SIGINT and SIGHUP, and ignore SIGPIPE.  Call once, first, before any thread.
void install();

// From now on the end of file on `fd` (a pipe or a socket whose request has been read)
// counts as a request too.  For helpers that must not outlive the caller.
void watch(int fd);

const sigset_t& original_mask();  // for children
int fd();                         // readable once a signal has arrived; -1 before install()
int watched();                    // what watch() was given, or -1; to be polled for POLLRDHUP
bool requested();                 // has somebody asked?  Stays true.
void check();                     // throws Cancelled if so
void pause(std::chrono::milliseconds length);  // throws Cancelled as soon as somebody asks
// How long ago that was noticed; zero if nobody has.
std::chrono::milliseconds age();

}  // namespace cancel
