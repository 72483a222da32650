#include "agent/log_cursor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <utility>

#include "agent/cri_lines.h"

namespace koi::agent {

namespace {

namespace fs = std::filesystem;
using base::errno_error;
using base::fail;
using base::Path;
using base::Result;

constexpr std::size_t block_bytes = 64 * 1024;
// Who writes the log splits longer lines; what is longer still is not ours.
constexpr std::size_t line_bytes_max = 256 * 1024;

// RFC 3339 texts of one format sort by time; without the Z a shorter fraction sorts first.
std::string_view sortable(std::string_view time) {
  if (time.ends_with('Z')) time.remove_suffix(1);
  return time;
}

std::string since_text(const std::optional<base::WallTime>& since) {
  return since ? std::string(sortable(base::format_micro_time(*since))) : std::string();
}

std::uint64_t size_of(int fd) {
  struct stat info{};
  return ::fstat(fd, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

std::string read_block(int fd, std::uint64_t offset, std::size_t size) {
  std::string block(size, '\0');
  std::size_t filled = 0;
  while (filled < size) {
    const auto count =
        ::pread(fd, block.data() + filled, size - filled, static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    filled += static_cast<std::size_t>(count);
  }
  block.resize(filled);
  return block;
}

// Where the last `lines` lines of the file begin; `lines` is reduced by those that it has.
std::uint64_t tail_offset(int fd, std::uint64_t& lines) {
  std::uint64_t end = size_of(fd);
  bool last_byte = true;
  while (end > 0) {
    const auto begin = end > block_bytes ? end - block_bytes : 0;
    const auto block = read_block(fd, begin, static_cast<std::size_t>(end - begin));
    for (std::size_t i = block.size(); i > 0; --i) {
      // The newline that ends the file begins no line.
      const bool counts = block[i - 1] == '\n' && !last_byte;
      last_byte = false;
      if (counts && --lines == 0) return begin + i;
    }
    end = begin;
  }
  if (!last_byte) --lines;
  return 0;
}

}  // namespace

LogCursor::LogCursor(Path path, LogOptions options)
    : path_(std::move(path)),
      options_(std::move(options)),
      since_(since_text(options_.since)),
      left_(options_.bytes_max.value_or(std::numeric_limits<std::uint64_t>::max())) {}

LogCursor::~LogCursor() { close(); }

void LogCursor::close() {
  if (file_.fd >= 0) ::close(file_.fd);
  file_ = File{};
}

// The log's files, oldest first; the present one is last, whether it exists or not.
std::vector<Path> LogCursor::list_files() const {
  std::vector<Path> files;
  const auto prefix = path_.filename().string() + ".";
  std::error_code error;
  for (fs::directory_iterator entry(path_.parent_path(), error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().starts_with(prefix)) files.push_back(entry->path());
  }
  std::ranges::sort(files);
  files.push_back(path_);
  return files;
}

// False when the file does not exist.
Result<bool> LogCursor::open(const Path& path, std::uint64_t offset) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT) return false;
  if (fd < 0) return fail(errno_error(errno, "open log '" + path.string() + "'"));
  close();
  file_ = File{path, fd, offset};
  return true;
}

Result<> LogCursor::begin() {
  begun_ = true;
  const auto files = list_files();
  if (!options_.tail_lines) {
    for (const auto& path : files) {
      auto opened = open(path, 0);
      if (!opened) return fail(std::move(opened).error());
      if (*opened) return {};
    }
    return {};
  }
  std::uint64_t lines = *options_.tail_lines;
  for (auto path = files.rbegin(); path != files.rend(); ++path) {
    auto opened = open(*path, 0);
    if (!opened) return fail(std::move(opened).error());
    if (!*opened) continue;
    file_.offset = lines == 0 ? size_of(file_.fd) : tail_offset(file_.fd, lines);
    if (lines == 0) return {};
  }
  return {};
}

// Goes on to the file behind the present one. False when there is none yet.
Result<bool> LogCursor::advance() {
  if (file_.fd < 0) return open(path_, 0);
  struct stat own{};
  struct stat present{};
  if (::fstat(file_.fd, &own) != 0) return fail(errno_error(errno, "stat log"));
  const bool exists = ::stat(path_.c_str(), &present) == 0;
  if (!exists || (own.st_ino == present.st_ino && own.st_dev == present.st_dev)) return false;
  if (static_cast<std::uint64_t>(own.st_size) > file_.offset) return true;
  const auto files = list_files();
  auto next = files.begin();
  for (auto path = files.begin(); path != files.end(); ++path) {
    struct stat info{};
    if (::stat(path->c_str(), &info) == 0 && info.st_ino == own.st_ino) next = std::next(path);
  }
  if (next == files.end()) return false;
  return open(*next, 0);
}

Result<std::string> LogCursor::read() {
  std::string output;
  if (!begun_) {
    if (auto done = begin(); !done) return fail(std::move(done).error());
  }
  while (output.empty() && left_ > 0) {
    const auto block =
        file_.fd < 0 ? std::string() : read_block(file_.fd, file_.offset, block_bytes);
    file_.offset += block.size();
    take(block, output);
    if (!block.empty()) continue;
    auto advanced = advance();
    if (!advanced) return fail(std::move(advanced).error());
    if (!*advanced) break;
  }
  if (output.size() > left_) output.resize(static_cast<std::size_t>(left_));
  left_ -= output.size();
  return output;
}

void LogCursor::take(std::string_view raw, std::string& output) {
  while (!raw.empty()) {
    const auto newline = raw.find('\n');
    if (newline == std::string_view::npos) {
      unfinished_.append(raw);
      if (unfinished_.size() > line_bytes_max) unfinished_.clear();
      return;
    }
    if (unfinished_.empty()) {
      take_line(raw.substr(0, newline), output);
    } else {
      unfinished_.append(raw.substr(0, newline));
      const auto line = std::exchange(unfinished_, std::string());
      take_line(line, output);
    }
    raw.remove_prefix(newline + 1);
  }
}

void LogCursor::take_line(std::string_view text, std::string& output) {
  const auto line = parse_cri_line(text);
  if (!line) return;
  if (!since_.empty() && sortable(line->time) < since_) return;
  if (options_.stream == "Stdout" && line->stream != "stdout") return;
  if (options_.stream == "Stderr" && line->stream != "stderr") return;
  if (options_.timestamps && !line_open_) output.append(line->time).append(" ");
  output.append(line->text);
  if (!line->partial) output += '\n';
  line_open_ = line->partial;
}

}  // namespace koi::agent
