#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "linux/capabilities.h"
#include "linux/copy_tree.h"
#include "linux/fd.h"
#include "linux/mounts.h"
#include "linux/process.h"
#include "linux/seccomp_filter.h"

namespace koi::linux {

namespace {

struct TemporaryDirectory {
  Path path;
  TemporaryDirectory() {
    char name[] = "/tmp/koi-linux-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
};

// Runs `body` in a child and returns what it exits with.
template <class Body>
int exit_code_of(Body body) {
  auto child = clone_process({});
  REQUIRE(child);
  if (child->pid == 0) ::_exit(body());
  auto status = wait_for(child->pid);
  REQUIRE(status);
  return status->code;
}

}  // namespace

TEST_CASE("process stat with a hostile name") {
  const auto stat = parse_process_stat(
      "42 (a) R 1 (b) S 7 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1024 3\n");
  REQUIRE(stat);
  CHECK(stat->pid == 42);
  CHECK(stat->name == "a) R 1 (b");
  CHECK(stat->state == 'S');
  CHECK(stat->parent == 7);
  CHECK(stat->start_ticks == 98765);
  CHECK_FALSE(parse_process_stat(""));
  CHECK_FALSE(parse_process_stat("42 (x) S 7"));
  CHECK_FALSE(parse_process_stat("x (x) S 7 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"));
}

TEST_CASE("this process runs, and another with its pid does not") {
  const auto stat = read_process_stat(::getpid());
  REQUIRE(stat);
  CHECK(process_is_running(stat->pid, stat->start_ticks));
  CHECK_FALSE(process_is_running(stat->pid, stat->start_ticks + 1));
}

TEST_CASE("mountinfo") {
  const auto mounts = parse_mountinfo(
      "36 35 98:0 /mnt1 /mnt\\040two rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=x\n"
      "garbage\n"
      "1 2 3 4 5 6 7\n"
      "37 35 0:5 / /proc rw - proc proc rw\n");
  REQUIRE(mounts.size() == 2);
  CHECK(mounts[0].mount_point == "/mnt two");
  CHECK(mounts[0].type == "ext3");
  CHECK(mounts[0].super_options == "rw,errors=x");
  CHECK(mounts[1].type == "proc");
}

TEST_CASE("signal names") {
  CHECK(signal_number("SIGTERM") == SIGTERM);
  CHECK(signal_number("QUIT") == SIGQUIT);
  CHECK(signal_number("9") == 9);
  CHECK(signal_number("SIGRTMIN+3") == SIGRTMIN + 3);
  CHECK_FALSE(signal_number("SIGNOPE"));
  CHECK_FALSE(signal_number("0"));
  CHECK_FALSE(signal_number("SIGRTMIN+99"));
}

TEST_CASE("capability names") {
  CHECK(capability_bit("NET_ADMIN").value() == CapabilityMask{1} << CAP_NET_ADMIN);
  CHECK(capability_bit("cap_sys_admin").value() == CapabilityMask{1} << CAP_SYS_ADMIN);
  CHECK_FALSE(capability_bit("CAP_FLY"));
  CHECK(capability_names(default_container_capabilities()).size() == 14);
}

TEST_CASE("packets carry text and a descriptor") {
  auto pair = make_socket_pair();
  REQUIRE(pair);
  auto pipe = make_pipe();
  REQUIRE(pipe);
  REQUIRE(send_packet(pair->first.get(), "hello", pipe->write_end.get()));
  auto packet = receive_packet(pair->second.get());
  REQUIRE(packet);
  CHECK(packet->text == "hello");
  REQUIRE(packet->fd);
  REQUIRE(write_all(packet->fd.get(), "x"));
  char byte = 0;
  CHECK(::read(pipe->read_end.get(), &byte, 1) == 1);
  pair->first.reset();
  CHECK(receive_packet(pair->second.get())->text.empty());
}

TEST_CASE("paths are made inside a root, links included") {
  const TemporaryDirectory root;
  std::filesystem::create_directory(root.path / "run");
  std::filesystem::create_directory_symlink("/run", root.path / "outside");
  std::filesystem::create_symlink("../run/resolve/stub.conf", root.path / "link.conf");
  std::filesystem::create_symlink("loop", root.path / "loop");
  auto fd = open_file(root.path, O_PATH | O_DIRECTORY);
  REQUIRE(fd);
  CHECK(make_path_in_root(fd->get(), "/outside/a/b", false));
  CHECK(std::filesystem::is_directory(root.path / "run/a/b"));
  CHECK(make_path_in_root(fd->get(), "/link.conf", true));
  CHECK(std::filesystem::is_regular_file(root.path / "run/resolve/stub.conf"));
  CHECK(make_path_in_root(fd->get(), "../../../../up", false));
  CHECK(std::filesystem::is_directory(root.path / "up"));
  CHECK_FALSE(make_path_in_root(fd->get(), "/loop/x", false));
  CHECK(make_path_in_root(fd->get(), "/missing/../x", false));
  CHECK(std::filesystem::is_directory(root.path / "x"));
}

TEST_CASE("layers are copied over each other, whiteouts and opaque directories included [root]") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: needs root");
    return;
  }
  const TemporaryDirectory directory;
  for (const char* name : {"1/keep", "1/clear/deep", "1/gone/deep", "2/clear", "2/keep", "to"}) {
    std::filesystem::create_directories(directory.path / name);
  }
  REQUIRE(write_durably(directory.path / "1/keep/file", "one", 04755));
  REQUIRE(write_durably(directory.path / "1/replaced", "old"));
  REQUIRE(write_durably(directory.path / "2/keep/more", "two"));
  std::filesystem::create_symlink("/etc/passwd", directory.path / "2/replaced");
  REQUIRE(::mknod((directory.path / "2/gone").c_str(), S_IFCHR, 0) == 0);
  REQUIRE(::mknod((directory.path / "2/null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0);
  REQUIRE(::setxattr((directory.path / "2/clear").c_str(), "trusted.overlay.opaque", "y", 1, 0) ==
          0);
  REQUIRE(::chown((directory.path / "2/keep/more").c_str(), 12, 34) == 0);
  const auto to = open_file(directory.path / "to", O_RDONLY | O_DIRECTORY);
  REQUIRE(to);
  for (const char* name : {"1", "2"}) {
    const auto from = open_file(directory.path / name, O_RDONLY | O_DIRECTORY);
    const auto done = copy_layer(from->get(), to->get());
    REQUIRE_MESSAGE(done, (done ? "" : done.error().message));
  }
  const Path root = directory.path / "to";
  CHECK(read_file(root / "keep/file").value() == "one");
  CHECK(std::filesystem::read_symlink(root / "replaced") == "/etc/passwd");
  CHECK_FALSE(std::filesystem::exists(root / "gone"));
  CHECK(std::filesystem::is_empty(root / "clear"));
  CHECK(std::filesystem::is_character_file(root / "null"));
  struct stat info{};
  REQUIRE(::stat((root / "keep/more").c_str(), &info) == 0);
  CHECK(info.st_uid == 12);
  REQUIRE(::stat((root / "keep/file").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 04755);
}

TEST_CASE("durable replacement") {
  const TemporaryDirectory directory;
  REQUIRE(write_durably(directory.path / "f", "one"));
  REQUIRE(write_durably(directory.path / "f", "two"));
  CHECK(read_file(directory.path / "f").value() == "two");
  CHECK_FALSE(read_file(directory.path / "f", 2));
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path), {}) == 1);
}

TEST_CASE("spawned programs get the files in order and start clean") {
  auto pipe = make_pipe();
  REQUIRE(pipe);
  auto null = open_file("/dev/null", O_RDWR);
  REQUIRE(null);
  auto pid = spawn("/bin/sh", {"sh", "-c", "echo $0 $(ls /proc/self/fd | wc -w)", "x"},
                   {null->get(), pipe->write_end.get(), null->get()});
  REQUIRE(pid);
  pipe->write_end.reset();
  CHECK(wait_for(*pid)->code == 0);
  CHECK(read_all(pipe->read_end.get(), 100).value() == "x 4\n");
  CHECK_FALSE(spawn("/no/such/program", {"x"}, {0, 1, 2}));
}

TEST_CASE("the default filter allows, refuses and hides calls") {
  const auto program = compile_seccomp(default_seccomp_profile(default_container_capabilities()));
  REQUIRE(program);
  CHECK(program->size() % 8 == 0);
  CHECK(program->size() / 8 < 1500);
  const int code = exit_code_of([&] {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!load_seccomp(*program)) return 1;
    if (::getppid() <= 0) return 2;
    if (::unshare(CLONE_NEWUTS) == 0 || errno != EPERM) return 3;
    if (::syscall(SYS_clone3, nullptr, 0) == 0 || errno != ENOSYS) return 4;
    if (::syscall(467, 0, 0) == 0 || errno != ENOSYS) return 5;
    if (::syscall(459, 0, 0) == 0 || errno != EPERM) return 6;
    if (::syscall(452, -1, "x", 0, 0) == 0 || errno == EPERM) return 7;
    if (::socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 || errno != EPERM) return 8;
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    if (socket < 0) return 9;
    return 0;
  });
  CHECK(code == 0);
  CHECK_FALSE(load_seccomp("short"));
}

TEST_CASE("capabilities are dropped for good [root]") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: needs root");
    return;
  }
  const CapabilityMask keep = CapabilityMask{1} << CAP_CHOWN;
  const int code = exit_code_of([&] {
    if (!limit_bounding_set(keep)) return 1;
    if (!set_capabilities({keep, keep, 0, keep, 0})) return 2;
    if (permitted_capabilities().value() != keep) return 3;
    if (kernel_capabilities() == 0) return 4;
    return ::prctl(PR_CAPBSET_READ, CAP_NET_ADMIN, 0, 0, 0) == 0 ? 0 : 5;
  });
  CHECK(code == 0);
}

TEST_CASE("an overlay with odd directory names mounts and becomes the root [root]") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: needs root");
    return;
  }
  const TemporaryDirectory directory;
  const Path odd = directory.path / "a:b,c\\d e";
  for (const char* name : {"l1", "l2", "upper", "work", "root"}) {
    std::filesystem::create_directories(odd / name);
  }
  {
    auto file = open_file(odd / "l1/one", O_CREAT | O_WRONLY, 0644);
  }
  {
    auto file = open_file(odd / "l2/two", O_CREAT | O_WRONLY, 0644);
  }
  auto child = clone_process({.namespaces = CLONE_NEWNS});
  REQUIRE(child);
  if (child->pid == 0) {
    if (!set_propagation("/", MS_SLAVE | MS_REC)) ::_exit(1);
    if (!mount_overlay({{odd / "l1", odd / "l2"}, odd / "upper", odd / "work"}, odd / "root")) {
      ::_exit(2);
    }
    if (!change_root(odd / "root")) ::_exit(3);
    if (::access("/one", F_OK) != 0 || ::access("/two", F_OK) != 0) ::_exit(4);
    if (::access("/tmp", F_OK) == 0) ::_exit(5);
    ::_exit(0);
  }
  CHECK(wait_for(child->pid)->code == 0);
}

}  // namespace koi::linux
