#pragma once

#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "base/files.h"
#include "base/result.h"
#include "base/task.h"
#include "images/image_store.h"

namespace koi::images {

struct DirectoryImport {
  std::vector<std::string> imported;  // archives, by file name
  std::size_t unchanged = 0;          // imported earlier, the same file, its images still there
  struct Failure {
    std::string archive;
    base::Error error;
  };
  std::vector<Failure> failures;  // the others were imported all the same
};

// Imports every archive in `directory` (*.tar, *.tar.gz, *.tgz, *.tar.zst, *.tzst, *.tar.zstd,
// *.oci; subdirectories that are OCI layouts too), in order of name. Remembers in the file `record`
// what each looked like (size, time of change, inode), so that a restart reads nothing again. A
// directory that does not exist holds nothing. Fails only when the directory cannot be listed or
// the record not be written.
base::Task<base::Result<DirectoryImport>> import_directory(ImageStore& store, base::Files& files,
                                                           base::BlockingPool& pool,
                                                           base::Path directory, base::Path record);

}  // namespace koi::images
