#pragma once

#include <memory>
#include <string>

#include "base/files.h"
#include "base/result.h"
#include "datastore/revision_log.h"

namespace koi::datastore {

// The on-disk tree, below the directory given:
//
//   state.db       SQLite: table log (history), lazy (latest states outside it), meta
//   state.db-wal   its write-ahead log; bounded, emptied by checkpoints
//
// Opens or makes the database. `vfs` names a registered SQLite VFS; empty: the system's. The file
// is locked for this process. Fails with
//   unavailable  another koi has it open, or the disk is full or read-only
//   corrupt      a page or a row does not match its checksum
//   unsupported  a newer koi wrote it
base::Result<std::unique_ptr<RevisionLog>> open_sqlite_log(const base::Path& directory,
                                                           const std::string& vfs);

}  // namespace koi::datastore
