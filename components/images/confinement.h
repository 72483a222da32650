#pragma once

#include "base/result.h"

namespace koi::images {

// Takes everything from the calling process, for good, that unpacking does not need: other
// descriptors, other files (chroot, Landlock where the kernel has it), capabilities, system calls,
// core dumps and memory without end. Called in a process of its own, before the first byte of input
// is read. What the caller has no power to give up (when it is not root) is passed over.

// For `decompress`: left are read, write and memory.
base::Result<> confine_decompressor();

// For `tree`: left are the files below directory_descriptor.
base::Result<> confine_tree_writer();

}  // namespace koi::images
