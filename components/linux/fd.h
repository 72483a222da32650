#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

// File descriptors and the kernel's small text files.
namespace koi::linux {

using Path = std::filesystem::path;

// Owns one file descriptor and closes it. Every descriptor made by this component is close-on-exec.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// The current errno as a failed Result: "<action> '<path>': No such file or directory".
[[nodiscard]] std::unexpected<base::Error> fail_errno(std::string_view action);
[[nodiscard]] std::unexpected<base::Error> fail_errno(std::string_view action, const Path& path);

// open(2) with O_CLOEXEC.
base::Result<UniqueFd> open_file(const Path& path, int flags, unsigned mode = 0);

// openat2(2) with O_CLOEXEC: `resolve` holds RESOLVE_ flags.
base::Result<UniqueFd> open_at(int directory, std::string_view path, int flags,
                               unsigned long long resolve, unsigned mode = 0);

// Reads until end of file; fails with too_large above `bytes_max`.
base::Result<std::string> read_all(int fd, std::size_t bytes_max);
base::Result<std::string> read_file(const Path& path, std::size_t bytes_max = 1024 * 1024);

// Writes everything, retrying short writes.
base::Result<> write_all(int fd, std::string_view bytes);

// Opens an existing file and writes `text` in one write(2), as files of /proc, /sys and cgroups
// want.
base::Result<> write_file(const Path& path, std::string_view text);

// Writes a new file beside `path`, syncs it, renames it over `path` and syncs the directory: after
// a crash or power loss readers see the old content or the new.
base::Result<> write_durably(const Path& path, std::string_view text, unsigned mode = 0600);

// As write_durably without syncing: survives the death of this process, not a power loss.
base::Result<> replace_file(const Path& path, std::string_view text, unsigned mode = 0600);

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};
base::Result<Pipe> make_pipe(int flags = 0);

// A connected pair of AF_UNIX SOCK_SEQPACKET sockets.
base::Result<std::pair<UniqueFd, UniqueFd>> make_socket_pair();

// Sends `text` with at most one descriptor (-1: none) as one packet.
base::Result<> send_packet(int socket, std::string_view text, int fd = -1);

struct Packet {
  std::string text;  // empty at end of file
  UniqueFd fd;
};
// Receives one packet of at most 64 KiB. Fails with unavailable when a non-blocking socket is
// empty.
base::Result<Packet> receive_packet(int socket);

}  // namespace koi::linux
