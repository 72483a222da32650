#include "images/untar.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "images/digest.h"
#include "images/test_archives.h"
#include "images/unpacker.h"
#include "linux/fd.h"

namespace koi::images {

namespace {

// A directory with a secret beside the tree that is filled.
struct Playground {
  TemporaryDirectory directory;
  base::Path tree = directory.path() / "tree";
  base::Path outside = directory.path() / "outside";

  Playground() {
    std::filesystem::create_directory(tree);
    write_file(outside / "secret", "untouched");
  }

  base::Result<Unpacked> unpack(std::string_view bytes, TreeKind kind = TreeKind::layer,
                                UnpackLimits limits = {}) {
    const base::Path archive = directory.path() / "archive";
    write_file(archive, bytes);
    const linux::UniqueFd file(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
    return Unpacker({}, limits).unpack(file.get(), tree, kind);
  }

  std::string error(std::string_view bytes, UnpackLimits limits = {}) {
    const auto outcome = unpack(bytes, TreeKind::layer, limits);
    return outcome ? "no error" : outcome.error().message;
  }

  bool untouched() const {
    return read_file(outside / "secret") == "untouched" &&
           std::distance(std::filesystem::directory_iterator(outside), {}) == 1;
  }
};

TarEntry file(std::string path, std::string content) {
  TarEntry entry;
  entry.path = std::move(path);
  entry.content = std::move(content);
  return entry;
}

TarEntry node(char type, std::string path, std::string link = {}) {
  TarEntry entry;
  entry.type = type;
  entry.path = std::move(path);
  entry.link = std::move(link);
  entry.mode = 0755;
  return entry;
}

struct stat status_of(const base::Path& path) {
  struct stat status{};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

bool is_whiteout(const base::Path& path) {
  const struct stat status = status_of(path);
  return S_ISCHR(status.st_mode) && status.st_rdev == ::makedev(0, 0);
}

bool is_opaque(const base::Path& path) {
  char value = 0;
  return (::lgetxattr(path.c_str(), "trusted.overlay.opaque", &value, 1) == 1 ||
          ::lgetxattr(path.c_str(), "user.overlay.opaque", &value, 1) == 1) &&
         value == 'y';
}

}  // namespace

TEST_CASE("a layer keeps content, modes, owners, times and links") {
  Playground ground;
  TarEntry tool = file("bin/tool", "#!");
  tool.mode = 04755;
  tool.user = 12;
  tool.group = 34;
  TarEntry bin = node('5', "bin/");
  bin.mode = 0750;
  bin.modified = 1'200'000'000;
  const auto outcome = ground.unpack(
      make_tar({bin, tool, node('2', "sh", "bin/tool"), node('1', "bin/again", "bin/tool"),
                node('6', "pipe"), node('3', "null"), file("./var//lib/./x", "deep")}));
  REQUIRE(outcome);
  const struct stat status = status_of(ground.tree / "bin/tool");
  CHECK((status.st_mode & 07777) == 04755);
  CHECK(status.st_mtim.tv_sec == 1'000'000'000);
  CHECK(status.st_nlink == 2);
  if (::geteuid() == 0) {
    CHECK(status.st_uid == 12);
    CHECK(status.st_gid == 34);
  }
  CHECK((status_of(ground.tree / "bin").st_mode & 07777) == 0750);
  CHECK(status_of(ground.tree / "bin").st_mtim.tv_sec == 1'200'000'000);
  CHECK(std::filesystem::read_symlink(ground.tree / "sh") == "bin/tool");
  CHECK(S_ISFIFO(status_of(ground.tree / "pipe").st_mode));
  CHECK_FALSE(std::filesystem::exists(ground.tree / "null"));
  CHECK(outcome->tree.devices_skipped == 1);
  CHECK(outcome->tree.entries == 7);
  CHECK(read_file(ground.tree / "var/lib/x") == "deep");
}

TEST_CASE("long and non-ASCII names are bytes") {
  Playground ground;
  const std::string folder(120, 'd');
  const std::string name = "F\xc5\x91tan\xc3\xbas.crt";
  TarEntry pax = file("short", "1");
  pax.pax["path"] = folder + "/" + name;
  TarEntry broken = file("\xff\xfe", "2");
  TarEntry link = node('2', "link");
  link.link = std::string(150, 'l');
  REQUIRE(ground.unpack(make_tar({pax, broken, link})));
  CHECK(read_file(ground.tree / folder / name) == "1");
  CHECK(read_file(ground.tree / "\xff\xfe") == "2");
  CHECK(std::filesystem::read_symlink(ground.tree / "link") == std::string(150, 'l'));
}

TEST_CASE("whiteouts become what overlayfs understands") {
  Playground ground;
  const auto outcome = ground.unpack(
      make_tar({file("etc/.wh.gone", ""), file("opt/.wh..wh..opq", ""), file("opt/new", "n"),
                file(".wh..wh.plnk", ""), node('5', "both"), file(".wh.both", ""),
                file(".wh.later", ""), file("later/file", "l"), file(".wh.again", ""),
                node('5', "again"), file(".wh.kept", ""), file("kept", "k")}));
  REQUIRE(outcome);
  CHECK(is_whiteout(ground.tree / "etc/gone"));
  CHECK(is_opaque(ground.tree / "opt"));
  CHECK(read_file(ground.tree / "opt/new") == "n");
  CHECK(is_opaque(ground.tree / "both"));
  CHECK(is_opaque(ground.tree / "later"));
  CHECK(read_file(ground.tree / "later/file") == "l");
  CHECK(is_opaque(ground.tree / "again"));
  CHECK(read_file(ground.tree / "kept") == "k");
  CHECK_FALSE(std::filesystem::exists(ground.tree / ".wh..wh.plnk"));
  CHECK(ground.error(make_tar({file(".wh.", "")})).contains("hides nothing"));
  CHECK(ground.error(make_tar({file("a/.wh...", "")})).contains("hides nothing"));
  CHECK(ground.untouched());
}

TEST_CASE("no entry leaves the tree") {
  const std::vector<std::vector<TarEntry>> attacks{
      {file("../outside/secret", "evil")},
      {file("a/../../outside/secret", "evil")},
      {node('2', "up", ".."), file("up/outside/secret", "evil")},
      {node('2', "up", "../outside"), file("up/secret", "evil")},
      {node('2', "up", "/"), file("up/outside/secret", "evil")},
      {node('2', "outside", "../outside"), node('5', "outside"), file("outside/new", "evil")},
      {node('2', "secret", "../outside/secret"), file("secret", "evil")},
      {node('1', "stolen", "../outside/secret")},
      {node('1', "stolen", "/../outside/secret")},
      {node('2', "up", "../outside"), node('1', "stolen", "up/secret")},
      {node('2', "up", "../outside"), file("up/.wh.secret", "")},
      {node('2', "up", "../outside"), file("up/.wh..wh..opq", "")},
      {node('2', "proc", "/proc/self/root"), file("proc/tmp/koi-escape", "evil")},
      {file("..", "evil")},
      {node('5', "../outside")},
      {file("/", "evil")},
  };
  for (std::size_t i = 0; i < attacks.size(); ++i) {
    CAPTURE(i);
    Playground ground;
    (void)ground.unpack(make_tar(attacks[i]));
    CHECK(ground.untouched());
    CHECK_FALSE(std::filesystem::exists("/tmp/koi-escape"));
  }
}

TEST_CASE("absolute names and links stay inside") {
  Playground ground;
  REQUIRE(ground.unpack(
      make_tar({file("/etc/passwd", "mine"), node('2', "abs", "/etc"), file("abs/more", "m"),
                node('2', "up", "../../../../etc"), file("up/third", "t")})));
  CHECK(read_file(ground.tree / "etc/passwd") == "mine");
  CHECK(read_file(ground.tree / "etc/more") == "m");
  CHECK(read_file(ground.tree / "etc/third") == "t");
}

TEST_CASE("a later entry replaces an earlier one") {
  Playground ground;
  REQUIRE(ground.unpack(make_tar(
      {file("a", "1"), file("a", "22"), file("d/x/y", "old"), file("d/keep", "k"),
       file("d/x", "file"), node('5', "e"), node('2', "e", "d"), node('2', "f", "a"),
       file("f", "own"), file("g", "g"), node('5', "g"), file("h", "h"), node('1', "h", "h")})));
  CHECK(read_file(ground.tree / "a") == "22");
  CHECK(read_file(ground.tree / "d/x") == "file");
  CHECK(read_file(ground.tree / "d/keep") == "k");
  CHECK(std::filesystem::is_symlink(ground.tree / "e"));
  CHECK(read_file(ground.tree / "f") == "own");
  CHECK(std::filesystem::is_directory(ground.tree / "g"));
  CHECK(read_file(ground.tree / "h") == "h");
}

TEST_CASE("wrong links and names are refused") {
  Playground ground;
  CHECK(ground.error(make_tar({node('1', "a", "nothing")})).contains("which this archive lacks"));
  CHECK(ground.error(make_tar({node('5', "d"), node('1', "a", "d")})).contains("directory"));
  CHECK(ground.error(make_tar({node('2', "a", "")})) != "no error");
  CHECK(ground.error(make_tar({file(std::string(300, 'n'), "")})).contains("255"));
  CHECK(ground.error(make_tar({file("f", ""), file("f/below", "")})).contains("is none"));
  std::string deep;
  for (int i = 0; i < 2'500; ++i) deep += "d/";
  CHECK(ground.error(make_tar({file(deep + "f", "")})).contains("too long a path"));
}

TEST_CASE("attributes are kept unless they would steer overlayfs") {
  Playground ground;
  TarEntry entry = file("a", "x");
  entry.pax["SCHILY.xattr.user.color"] = "red";
  entry.pax["SCHILY.xattr.trusted.overlay.redirect"] = "/../etc";
  entry.pax["SCHILY.xattr.user.overlay.redirect"] = "/../etc";
  const std::string capability(
      "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00"
      "\x00\x00\x00\x00\x00\x00\x00\x00",
      20);
  entry.pax["SCHILY.xattr.security.capability"] = capability;
  REQUIRE(ground.unpack(make_tar({entry})));
  const base::Path path = ground.tree / "a";
  char value[64];
  if (::lgetxattr(path.c_str(), "user.color", value, sizeof(value)) < 0) {
    MESSAGE("skipped: this file system has no user attributes");
    return;
  }
  CHECK(std::string(value, 3) == "red");
  CHECK(::lgetxattr(path.c_str(), "trusted.overlay.redirect", value, sizeof(value)) < 0);
  CHECK(::lgetxattr(path.c_str(), "user.overlay.redirect", value, sizeof(value)) < 0);
  if (::geteuid() != 0) {
    MESSAGE("skipped: file capabilities need root");
    return;
  }
  const ssize_t size = ::lgetxattr(path.c_str(), "security.capability", value, sizeof(value));
  CHECK(size == 20);
}

TEST_CASE("sparse files cost no disk") {
  Playground ground;
  TarEntry entry = file("GNUSparseFile.0/big", "end!");
  entry.pax["GNU.sparse.major"] = "0";
  entry.pax["GNU.sparse.minor"] = "1";
  entry.pax["GNU.sparse.name"] = "big";
  entry.pax["GNU.sparse.size"] = "1073741824";
  entry.pax["GNU.sparse.realsize"] = "1073741824";
  entry.pax["GNU.sparse.map"] = "1073741820,4";
  REQUIRE(ground.unpack(make_tar({entry})));
  const struct stat status = status_of(ground.tree / "big");
  CHECK(status.st_size == 1'073'741'824);
  CHECK(status.st_blocks < 1'000);
}

TEST_CASE("counts and sizes are bounded") {
  Playground ground;
  std::vector<TarEntry> many;
  for (int i = 0; i < 20; ++i) many.push_back(file("f" + std::to_string(i), "x"));
  CHECK(ground.error(make_tar(many), {.entries_max = 19}).contains("more than 19 entries"));
  CHECK(ground.error(make_tar(many), {.entries_max = 20}) == "no error");
  CHECK(ground.error(make_tar({file("a", "12345678")}), {.bytes_max = 4'096}) == "no error");
  CHECK(ground.error(make_tar({file("a", std::string(5'000, 'x'))}), {.bytes_max = 4'096}) !=
        "no error");
  TarEntry huge = file("GNUSparseFile.0/big", "end!");
  huge.pax["GNU.sparse.major"] = "0";
  huge.pax["GNU.sparse.minor"] = "1";
  huge.pax["GNU.sparse.name"] = "big";
  huge.pax["GNU.sparse.realsize"] = "4611686018427387904";
  huge.pax["GNU.sparse.size"] = "4611686018427387904";
  huge.pax["GNU.sparse.map"] = "0,4";
  CHECK(ground.error(make_tar({huge})).contains("passes the limit"));
}

TEST_CASE("every truncation and most damage is an error, none a crash") {
  const std::string tar = make_tar(
      {file("a", std::string(700, 'a')), node('5', "d"), file("d/b", std::string(600, 'b'))});
  const std::string whole = digest_of(tar);
  for (std::size_t size = 1; size < tar.size() - 1'024; size += 97) {
    CAPTURE(size);
    Playground ground;
    const auto outcome = ground.unpack(std::string_view(tar).substr(0, size));
    if (outcome) CHECK(outcome->diff_id != whole);
  }
  for (std::size_t at = 0; at < tar.size(); at += 61) {
    Playground ground;
    std::string damaged = tar;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    const auto outcome = ground.unpack(damaged);
    if (outcome) CHECK(outcome->diff_id != whole);
    CHECK(ground.untouched());
  }
}

TEST_CASE("random damage never leaves the tree") {
  TarEntry pax = file("short", "content");
  pax.pax["path"] = "pax/" + std::string(150, 'p');
  pax.pax["mtime"] = "1200000000.5";
  pax.pax["SCHILY.xattr.user.color"] = "red";
  const std::string tar =
      make_tar({node('5', "d"), file("d/a", std::string(600, 'a')), pax,
                node('2', "up", "../outside"), file("d/.wh.gone", ""), node('1', "hard", "d/a"),
                node('6', "pipe"), file("d/.wh..wh..opq", ""), file("up2/x", "x")});
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    CAPTURE(seed);
    Playground ground;
    (void)ground.unpack(damaged(tar, seed));
    CHECK(ground.untouched());
  }
}

}  // namespace koi::images
