// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "common/one/vm.h"
#include "common/rbd/image.h"

// The image of a disk in Ceph, and how its cluster is reached.  BadRequest for a name that is none.
rbd::Image image_of(const Disk& disk);
