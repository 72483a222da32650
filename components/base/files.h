#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace koi::base {

using Path = std::filesystem::path;

// An open file. Offsets and sizes in bytes. Any thread, one at a time.
class File {
 public:
  virtual ~File() = default;

  // Reads up to buffer.size() bytes; fewer only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<char> buffer) = 0;
  virtual Result<> write_at(std::uint64_t offset, std::string_view bytes) = 0;
  virtual Result<> truncate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() = 0;
  // Returns once content and size survive a power loss.
  virtual Result<> sync() = 0;
};

struct OpenOptions {
  bool write = false;
  bool create = false;
  bool exclusive = false;  // with create: fail when it exists
  bool truncate = false;
  std::uint32_t mode = 0600;
};

// The disk. Real in the server; in tests one that loses what was not synced.
// Blocking: callers that must not block run it on a BlockingPool.
class Files {
 public:
  virtual ~Files() = default;

  virtual Result<std::unique_ptr<File>> open(const Path& path, const OpenOptions& options) = 0;
  virtual Result<> make_directories(const Path& path, std::uint32_t mode) = 0;
  virtual Result<> rename(const Path& source, const Path& target) = 0;
  // Succeeds when the file is already gone.
  virtual Result<> remove(const Path& path) = 0;
  virtual Result<> remove_tree(const Path& path) = 0;
  virtual Result<bool> exists(const Path& path) = 0;
  // Names of a directory's entries, sorted.
  virtual Result<std::vector<std::string>> list(const Path& directory) = 0;
  // Makes creations, renames and removals inside the directory survive a power loss.
  virtual Result<> sync_directory(const Path& directory) = 0;

  // The whole file; fails with too_large above the bound.
  Result<std::string> read_all(const Path& path, std::size_t bytes_max = 64 * 1024 * 1024);
  // Writes a temporary file beside it, syncs, renames over it, syncs the directory: readers see the
  // old content or the new, also after a power loss.
  Result<> write_atomically(const Path& path, std::string_view content, std::uint32_t mode);
};

}  // namespace koi::base
