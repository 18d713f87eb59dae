// SPDX-License-Identifier: Apache-2.0
// What a program prints for a person.
#pragma once

// Before the end of a program that has printed by stdio.  An Error unless all of it is out: also
// where an earlier write was lost, after which the last one has nothing left to fail of.
void finish_answer();
