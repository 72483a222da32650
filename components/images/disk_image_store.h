#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/blocking_pool.h"
#include "base/files.h"
#include "base/result.h"
#include "base/task.h"
#include "images/image_store.h"
#include "images/unpacker.h"

namespace koi::images {

struct DiskImageStoreOptions {
  base::Path root;  // e.g. <data-dir>/agent/images-store; made when missing
  // What starts this program's `unpack-layer`; empty: unpack in threads of this process.
  std::vector<std::string> unpack_command{"/proc/self/exe", "unpack-layer"};
  UnpackLimits limits;
  std::string architecture;  // "amd64"; empty: this program's
};

// Opens the store below options.root and finishes or undoes what a crash left. Blocks for some
// milliseconds. Fails with unavailable while another process has it open, with unsupported when a
// newer koi wrote it. An image whose blobs or layers are gone or damaged is dropped with a log
// line: importing it again heals the store. `executor` is where the store's calls are made; it,
// `files` and `pool` outlive the store. Imports and removals run one after the other.
base::Result<std::unique_ptr<ImageStore>> open_image_store(base::Executor executor,
                                                           base::Files& files,
                                                           base::BlockingPool& pool,
                                                           const DiskImageStoreOptions& options);

}  // namespace koi::images
