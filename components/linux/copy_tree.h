#pragma once

#include "linux/fd.h"

// Copying directory trees made by strangers, one descriptor at a time: no link is followed and no
// name is looked up twice, so nothing outside the two directories is touched.
namespace koi::linux {

// Copies what the directory `from` holds into the directory `to`, with owners, modes, times and
// extended attributes. What is there already is replaced, directories are merged. `from` is read as
// an overlay layer: a character device 0:0 removes what it names, and a directory marked opaque
// starts empty.
base::Result<> copy_layer(int from, int to);

// Removes the entry, with everything below it when it is a directory. Succeeds when it is gone.
base::Result<> remove_entry(int directory, const std::string& name);

}  // namespace koi::linux
