#include "images/unpacker.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "images/compression.h"
#include "images/confinement.h"
#include "images/digest.h"
#include "images/test_archives.h"
#include "images/unpack_process.h"
#include "linux/fd.h"

namespace koi::images {

namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KOI_UNCONFINABLE 1
#endif
#endif

// This test program is also the process that it starts. "escape" tries what must be impossible.
[[gnu::constructor]] void act_as_child(int count, char** words, char**) {
  if (count < 2) return;
  if (std::strcmp(words[1], "unpack-layer") == 0) {
    ::_exit(run_unpack_process(std::vector<std::string>(words + 2, words + count)));
  }
  if (std::strcmp(words[1], "escape") != 0) return;
  if (!confine_tree_writer()) ::_exit(1);
  const linux::UniqueFd outside(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  const linux::UniqueFd above(::open("../../../etc/passwd", O_RDONLY | O_CLOEXEC));
  const char verdict[] = "error 0 escaped";
  if (outside || above) {
    (void)!::write(report_descriptor, verdict, sizeof(verdict));
    ::_exit(1);
  }
  (void)::getuid();  // no call that unpacking needs: ends the process without a report
  (void)!::write(report_descriptor, verdict, sizeof(verdict));
  ::_exit(1);
}

const std::vector<std::string> self{"/proc/self/exe", "unpack-layer"};

struct Bench {
  TemporaryDirectory directory;
  base::Path tree = directory.path() / "tree";
  Bench() { std::filesystem::create_directory(tree); }

  base::Result<Unpacked> unpack(std::string_view bytes, const Unpacker& unpacker) {
    const base::Path archive = directory.path() / "archive";
    write_file(archive, bytes);
    const linux::UniqueFd file(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
    return unpacker.unpack(file.get(), tree, TreeKind::layer);
  }
};

std::string tar_of(std::string content) {
  TarEntry entry;
  entry.path = "dir/file";
  entry.content = std::move(content);
  TarEntry opaque;
  opaque.path = "dir/.wh..wh..opq";
  return make_tar({entry, opaque});
}

std::string noise(std::size_t size) {
  std::string text(size, '\0');
  std::uint64_t state = 88172645463325252ULL;
  for (char& c : text) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    c = static_cast<char>(state);
  }
  return text;
}

}  // namespace

TEST_CASE("plain, gzip and zstd give the same tree and the same diff id") {
  const std::string tar = tar_of(noise(3'000'000));
  for (const auto& command : {std::vector<std::string>{}, self}) {
#ifdef KOI_UNCONFINABLE
    if (!command.empty()) {
      MESSAGE("skipped: sanitizers need system calls that the confined process lacks");
      continue;
    }
#endif
    for (const std::string& bytes :
         {tar, gzip(tar), zstd(tar),
          gzip(std::string_view(tar).substr(0, 1'000)) + gzip(std::string_view(tar).substr(1'000)) +
              std::string(512, '\0'),
          zstd(std::string_view(tar).substr(0, 1'000)) +
              zstd(std::string_view(tar).substr(1'000))}) {
      CAPTURE(command.size());
      Bench bench;
      const auto outcome = bench.unpack(bytes, Unpacker(command));
      if (!outcome) FAIL_CHECK(outcome.error().message);
      REQUIRE(outcome);
      CHECK(outcome->diff_id == digest_of(tar));
      CHECK(outcome->stream_bytes == tar.size());
      CHECK(outcome->tree.opaque_directories == std::vector<std::string>{"dir"});
      CHECK(read_file(bench.tree / "dir/file") == noise(3'000'000));
    }
  }
}

TEST_CASE("damaged streams are named as such") {
  const std::string tar = tar_of(noise(500'000));
  for (const auto& command : {std::vector<std::string>{}, self}) {
#ifdef KOI_UNCONFINABLE
    if (!command.empty()) continue;
#endif
    auto error = [&](std::string_view bytes) {
      Bench bench;
      const auto outcome = bench.unpack(bytes, Unpacker(command));
      return outcome ? "none" : outcome.error().message;
    };
    const std::string gz = gzip(tar);
    const std::string zst = zstd(tar);
    CHECK(error(gz.substr(0, gz.size() / 2)) == "gzip stream ends early");
    CHECK(error(zst.substr(0, zst.size() / 2)) == "zstd stream ends early");
    std::string flipped = gz;
    flipped[flipped.size() - 6] ^= 1;
    CHECK(error(flipped) == "gzip stream is damaged: incorrect data check");
    CHECK(error(gz + "tail").starts_with("gzip stream has garbage"));
    CHECK(error(tar.substr(0, tar.size() / 2)).contains("tar stream is damaged: Truncated"));
    CHECK(error("\xfd"
                "7zXZ\0 and more")
              .contains("xz"));
    CHECK(error("no archive at all, but long enough to be looked at as if it were one") != "none");
  }
}

TEST_CASE("a bomb is stopped by the ratio of its sizes") {
  const std::string bomb = gzip(tar_of(std::string(8'000'000, '\0')));
  const UnpackLimits limits{.always_allowed_bytes = 1'000'000, .ratio_max = 100};
  for (const auto& command : {std::vector<std::string>{}, self}) {
#ifdef KOI_UNCONFINABLE
    if (!command.empty()) continue;
#endif
    Bench bench;
    const auto outcome = bench.unpack(bomb, Unpacker(command, limits));
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().code == base::Code::too_large);
    CHECK(outcome.error().message.contains("unpacks to more than"));
    Bench honest;
    CHECK(honest.unpack(gzip(tar_of(noise(2'000'000))), Unpacker(command, limits)));
  }
}

TEST_CASE("an error of the tree stage is not hidden by the broken pipe behind it") {
  TarEntry entry;
  entry.path = "../escape";
  TarEntry rest;
  rest.path = "rest";
  rest.content = noise(4'000'000);
  for (const auto& command : {std::vector<std::string>{}, self}) {
#ifdef KOI_UNCONFINABLE
    if (!command.empty()) continue;
#endif
    Bench bench;
    const auto outcome = bench.unpack(gzip(make_tar({entry, rest})), Unpacker(command));
    REQUIRE_FALSE(outcome);
    CHECK(outcome.error().message == "entry '../escape' leaves its archive by '..'");
  }
}

TEST_CASE("the unpacking process reaches nothing but its tree") {
#ifdef KOI_UNCONFINABLE
  MESSAGE("skipped: sanitizers need system calls that the confined process lacks");
#else
  if (::geteuid() != 0) {
    MESSAGE("skipped: chroot needs root");
    return;
  }
  Bench bench;
  const auto outcome = bench.unpack(tar_of("x"), Unpacker({"/proc/self/exe", "escape"}));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().message == "the unpacking process ended without a report");
#endif
}

TEST_CASE("a report that makes no sense is an error") {
  for (const std::string_view text :
       {std::string_view(""), std::string_view("ok 1 2 3"), std::string_view("ok 1 2\0", 7),
        std::string_view("ok 1 2 3\0ok 1 2 3\0", 18),
        std::string_view("opaque ../x\0ok 1 2 3\0", 21), std::string_view("error 99 x\0", 11),
        std::string_view("hello\0", 6)}) {
    auto pipe = linux::make_pipe();
    REQUIRE(pipe);
    REQUIRE(linux::write_all(pipe->write_end.get(), text));
    pipe->write_end.reset();
    CHECK_FALSE(read_report(pipe->read_end.get()));
  }
}

TEST_CASE("a program that is not there is an error") {
  Bench bench;
  CHECK_FALSE(bench.unpack(tar_of("x"), Unpacker({"/nonexistent/koi"})));
}

}  // namespace koi::images
