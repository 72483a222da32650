#include "linux/fd.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace koi::linux {

using base::Code;
using base::fail;
using base::Result;

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

std::unexpected<base::Error> fail_errno(std::string_view action) {
  return fail(base::errno_error(errno, action));
}

std::unexpected<base::Error> fail_errno(std::string_view action, const Path& path) {
  const int error_number = errno;
  return fail(base::errno_error(error_number, std::string(action) + " '" + path.native() + "'"));
}

Result<UniqueFd> open_file(const Path& path, int flags, unsigned mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0) return fail_errno("open", path);
  return UniqueFd(fd);
}

Result<UniqueFd> open_at(int directory, std::string_view path, int flags,
                         unsigned long long resolve, unsigned mode) {
  open_how how{};
  how.flags = static_cast<unsigned long long>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = resolve;
  const std::string text(path);
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, directory, text.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    // The kernel asks for another try when a rename raced with a ".." of the path.
    if (errno != EAGAIN || attempt == 32) return fail_errno("open", text);
  }
}

Result<std::string> read_all(int fd, std::size_t bytes_max) {
  std::string text;
  char buffer[16 * 1024];
  for (;;) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("read");
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
    if (text.size() > bytes_max) {
      return fail(Code::too_large, "more than " + std::to_string(bytes_max) + " bytes");
    }
  }
}

Result<std::string> read_file(const Path& path, std::size_t bytes_max) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd) return fail(std::move(fd).error());
  auto text = read_all(fd->get(), bytes_max);
  if (!text) return fail(std::move(text).error().during("read '" + path.native() + "'"));
  return text;
}

Result<> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("write");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<> write_file(const Path& path, std::string_view text) {
  auto fd = open_file(path, O_WRONLY);
  if (!fd) return fail(std::move(fd).error());
  const ssize_t count = ::write(fd->get(), text.data(), text.size());
  if (count < 0) return fail_errno("write '" + std::string(text) + "' to", path);
  if (static_cast<std::size_t>(count) != text.size()) {
    return fail(Code::internal, "write to '" + path.native() + "' was cut short");
  }
  return {};
}

namespace {

Result<> replace(const Path& path, std::string_view text, unsigned mode, bool sync) {
  // One name per thread: two that replace the same file do not write into each other's copy.
  const Path temporary = path.native() + ".new" + std::to_string(::gettid());
  auto fd = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
  if (!fd) return fail(std::move(fd).error());
  if (auto done = write_all(fd->get(), text); !done) {
    return fail(std::move(done).error().during("write '" + temporary.native() + "'"));
  }
  if (sync && ::fdatasync(fd->get()) != 0) return fail_errno("sync", temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail_errno("rename to", path);
  if (!sync) return {};
  auto directory = open_file(path.parent_path(), O_RDONLY | O_DIRECTORY);
  if (!directory) return fail(std::move(directory).error());
  if (::fsync(directory->get()) != 0) return fail_errno("sync", path.parent_path());
  return {};
}

}  // namespace

Result<> write_durably(const Path& path, std::string_view text, unsigned mode) {
  return replace(path, text, mode, true);
}

Result<> replace_file(const Path& path, std::string_view text, unsigned mode) {
  return replace(path, text, mode, false);
}

Result<Pipe> make_pipe(int flags) {
  int fds[2];
  if (::pipe2(fds, flags | O_CLOEXEC) != 0) return fail_errno("pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<std::pair<UniqueFd, UniqueFd>> make_socket_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
    return fail_errno("socketpair");
  }
  return std::pair(UniqueFd(fds[0]), UniqueFd(fds[1]));
}

namespace {

union ControlBuffer {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

}  // namespace

Result<> send_packet(int socket, std::string_view text, int fd) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  ssize_t count = -1;
  do {
    count = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return fail_errno("send");
  return {};
}

Result<Packet> receive_packet(int socket) {
  std::string text(64 * 1024, '\0');
  iovec part{text.data(), text.size()};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  ssize_t count = -1;
  do {
    count = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && errno == EAGAIN) return fail(Code::unavailable, "no packet waits");
  if (count < 0) return fail_errno("receive");
  Packet packet;
  if (const cmsghdr* header = CMSG_FIRSTHDR(&message);
      header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    packet.fd.reset(fd);
  }
  text.resize(static_cast<std::size_t>(count));
  packet.text = std::move(text);
  return packet;
}

}  // namespace koi::linux
