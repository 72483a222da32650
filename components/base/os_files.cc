#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/os.h"

namespace koi::base {

namespace {

std::string quoted(const char* action, const Path& path) {
  return std::string(action) + " '" + path.string() + "'";
}

class OsFile final : public File {
 public:
  OsFile(int fd, Path path) : fd_(fd), path_(std::move(path)) {}
  ~OsFile() override { ::close(fd_); }
  OsFile(const OsFile&) = delete;
  OsFile& operator=(const OsFile&) = delete;

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> buffer) override {
    std::size_t filled = 0;
    while (filled < buffer.size()) {
      const ssize_t count = ::pread(fd_, buffer.data() + filled, buffer.size() - filled,
                                    static_cast<off_t>(offset + filled));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return fail(errno_error(errno, quoted("read", path_)));
      if (count == 0) break;
      filled += static_cast<std::size_t>(count);
    }
    return filled;
  }

  Result<> write_at(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return fail(errno_error(errno, quoted("write", path_)));
      bytes.remove_prefix(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return {};
  }

  Result<> truncate(std::uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) == 0) return {};
    return fail(errno_error(errno, quoted("truncate", path_)));
  }

  Result<std::uint64_t> size() override {
    struct stat status{};
    if (::fstat(fd_, &status) != 0) return fail(errno_error(errno, quoted("stat", path_)));
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<> sync() override {
    if (::fdatasync(fd_) == 0) return {};
    return fail(errno_error(errno, quoted("sync", path_)));
  }

 private:
  int fd_;
  Path path_;
};

class OsFiles final : public Files {
 public:
  Result<std::unique_ptr<File>> open(const Path& path, const OpenOptions& options) override {
    int flags = O_CLOEXEC | (options.write ? O_RDWR : O_RDONLY);
    if (options.create) flags |= O_CREAT;
    if (options.exclusive) flags |= O_EXCL;
    if (options.truncate) flags |= O_TRUNC;
    const int fd = ::open(path.c_str(), flags, options.mode);
    if (fd < 0) return fail(errno_error(errno, quoted("open", path)));
    return std::make_unique<OsFile>(fd, path);
  }

  Result<> make_directories(const Path& path, std::uint32_t mode) override {
    if (path.empty() || path == path.root_path()) return {};
    if (::mkdir(path.c_str(), mode) == 0) return {};
    if (errno == ENOENT) {
      if (auto made = make_directories(path.parent_path(), mode); !made) return made;
      if (::mkdir(path.c_str(), mode) == 0) return {};
    }
    const int error_number = errno;
    std::error_code ignored;
    if (error_number == EEXIST && std::filesystem::is_directory(path, ignored)) return {};
    return fail(errno_error(error_number, quoted("make directory", path)));
  }

  Result<> rename(const Path& source, const Path& target) override {
    if (::rename(source.c_str(), target.c_str()) == 0) return {};
    return fail(errno_error(errno, quoted("rename", source) + " to '" + target.string() + "'"));
  }

  Result<> remove(const Path& path) override {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
    return fail(errno_error(errno, quoted("remove", path)));
  }

  Result<> remove_tree(const Path& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return fail(errno_error(error.value(), quoted("remove", path)));
    return {};
  }

  Result<bool> exists(const Path& path) override {
    struct stat status{};
    if (::lstat(path.c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return fail(errno_error(errno, quoted("stat", path)));
  }

  Result<std::vector<std::string>> list(const Path& directory) override {
    std::error_code error;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
         it.increment(error)) {
      names.push_back(it->path().filename().string());
    }
    if (error) return fail(errno_error(error.value(), quoted("list", directory)));
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<> sync_directory(const Path& directory) override {
    const Path path = directory.empty() ? Path(".") : directory;
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail(errno_error(errno, quoted("open", path)));
    const int outcome = ::fsync(fd);
    const int error_number = errno;
    ::close(fd);
    if (outcome != 0) return fail(errno_error(error_number, quoted("sync", path)));
    return {};
  }
};

}  // namespace

std::unique_ptr<Files> make_os_files() { return std::make_unique<OsFiles>(); }

}  // namespace koi::base
