#pragma once

#include <memory>
#include <string>

#include "base/files.h"
#include "base/random.h"

namespace koi::datastore {

// Lets SQLite work on a base::Files door, so that a database can live on a simulated disk.
// Registered under `name()` as long as it lives. Serves one process and exclusive locking; the
// directory of a database is synced with it.
class FilesVfs {
 public:
  FilesVfs(std::string name, base::Files& files, base::Random& random);
  ~FilesVfs();
  FilesVfs(const FilesVfs&) = delete;
  FilesVfs& operator=(const FilesVfs&) = delete;

  const std::string& name() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace koi::datastore
