#pragma once

#include <memory>

#include "datastore/revision_log.h"

namespace koi::datastore {

// A log that keeps nothing: for tests, and for stores whose life ends with their process.
std::unique_ptr<RevisionLog> make_memory_log();

}  // namespace koi::datastore
