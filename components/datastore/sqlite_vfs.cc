#include "datastore/sqlite_vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <new>

namespace koi::datastore {

struct FilesVfs::Impl {
  std::string name;
  base::Files& files;
  base::Random& random;
  sqlite3_vfs vfs{};
};

namespace {

struct OpenFile {
  sqlite3_file base;
  std::unique_ptr<base::File> file;
};

OpenFile& file_of(sqlite3_file* raw) { return *reinterpret_cast<OpenFile*>(raw); }

FilesVfs::Impl& impl_of(sqlite3_vfs* vfs) { return *static_cast<FilesVfs::Impl*>(vfs->pAppData); }

int io_result(const base::Result<>& done, int otherwise) {
  if (done) return SQLITE_OK;
  return done.error().code == base::Code::unavailable ? SQLITE_FULL : otherwise;
}

int close_file(sqlite3_file* raw) {
  file_of(raw).~OpenFile();
  return SQLITE_OK;
}

int read_file(sqlite3_file* raw, void* buffer, int count, sqlite3_int64 offset) {
  const auto size = static_cast<std::size_t>(count);
  const std::span<char> bytes(static_cast<char*>(buffer), size);
  const auto read = file_of(raw).file->read_at(static_cast<std::uint64_t>(offset), bytes);
  if (!read) return SQLITE_IOERR_READ;
  if (*read == size) return SQLITE_OK;
  std::memset(bytes.data() + *read, 0, size - *read);
  return SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* raw, const void* buffer, int count, sqlite3_int64 offset) {
  const std::string_view bytes(static_cast<const char*>(buffer), static_cast<std::size_t>(count));
  return io_result(file_of(raw).file->write_at(static_cast<std::uint64_t>(offset), bytes),
                   SQLITE_IOERR_WRITE);
}

int truncate_file(sqlite3_file* raw, sqlite3_int64 size) {
  return io_result(file_of(raw).file->truncate(static_cast<std::uint64_t>(size)),
                   SQLITE_IOERR_TRUNCATE);
}

int sync_file(sqlite3_file* raw, int) {
  return io_result(file_of(raw).file->sync(), SQLITE_IOERR_FSYNC);
}

int file_size(sqlite3_file* raw, sqlite3_int64* size) {
  const auto known = file_of(raw).file->size();
  if (!known) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(*known);
  return SQLITE_OK;
}

int lock_file(sqlite3_file*, int) { return SQLITE_OK; }
int check_lock(sqlite3_file*, int* held) {
  *held = 0;
  return SQLITE_OK;
}
int file_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file*) { return 4096; }
int device_traits(sqlite3_file*) { return 0; }

const sqlite3_io_methods io_methods{
    .iVersion = 1,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = lock_file,
    .xCheckReservedLock = check_lock,
    .xFileControl = file_control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = device_traits,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* raw, int flags, int* out_flags) {
  raw->pMethods = nullptr;
  if (name == nullptr) return SQLITE_CANTOPEN;
  auto& files = impl_of(vfs).files;
  const bool create = (flags & SQLITE_OPEN_CREATE) != 0;
  const base::OpenOptions options{.write = true, .create = create};
  auto file = files.open(name, options);
  if (!file) return SQLITE_CANTOPEN;
  if (create && !files.sync_directory(base::Path(name).parent_path())) return SQLITE_CANTOPEN;
  auto* open = new (raw) OpenFile{{&io_methods}, std::move(*file)};
  open->base.pMethods = &io_methods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  auto& files = impl_of(vfs).files;
  if (!files.remove(name)) return SQLITE_IOERR_DELETE;
  if (sync_directory == 0) return SQLITE_OK;
  return io_result(files.sync_directory(base::Path(name).parent_path()), SQLITE_IOERR_DIR_FSYNC);
}

int access_file(sqlite3_vfs* vfs, const char* name, int, int* exists) {
  const auto known = impl_of(vfs).files.exists(name);
  if (!known) return SQLITE_IOERR_ACCESS;
  *exists = *known ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

int randomness(sqlite3_vfs* vfs, int count, char* out) {
  impl_of(vfs).random.fill(
      std::span(reinterpret_cast<std::uint8_t*>(out), static_cast<std::size_t>(count)));
  return count;
}

int sleep_micros(sqlite3_vfs*, int micros) { return micros; }

// The database stores no times; a fixed one keeps a simulation the same from run to run.
int current_time(sqlite3_vfs*, double* day) {
  *day = 2'460'000.5;
  return SQLITE_OK;
}

int last_error(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

FilesVfs::FilesVfs(std::string name, base::Files& files, base::Random& random)
    : impl_(std::make_unique<Impl>(Impl{std::move(name), files, random})) {
  sqlite3_vfs& vfs = impl_->vfs;
  vfs.iVersion = 1;
  vfs.szOsFile = sizeof(OpenFile);
  vfs.mxPathname = 4096;
  vfs.zName = impl_->name.c_str();
  vfs.pAppData = impl_.get();
  vfs.xOpen = open_file;
  vfs.xDelete = delete_file;
  vfs.xAccess = access_file;
  vfs.xFullPathname = full_path;
  vfs.xRandomness = randomness;
  vfs.xSleep = sleep_micros;
  vfs.xCurrentTime = current_time;
  vfs.xGetLastError = last_error;
  sqlite3_initialize();
  sqlite3_vfs_register(&vfs, 0);
}

FilesVfs::~FilesVfs() { sqlite3_vfs_unregister(&impl_->vfs); }

const std::string& FilesVfs::name() const { return impl_->name; }

}  // namespace koi::datastore
