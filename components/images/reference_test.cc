#include "images/reference.h"

#include <doctest/doctest.h>

#include "images/image_store.h"

namespace koi::images {

namespace {

const std::string hex(64, 'a');

std::string normalized(std::string_view text) {
  auto result = normalize_reference(text);
  return result ? *result : "error: " + result.error().message;
}

}  // namespace

TEST_CASE("short references are completed as Docker does") {
  CHECK(normalized("nginx") == "docker.io/library/nginx:latest");
  CHECK(normalized("nginx:1.22") == "docker.io/library/nginx:1.22");
  CHECK(normalized("bitnami/redis") == "docker.io/bitnami/redis:latest");
  CHECK(normalized("docker.io/nginx") == "docker.io/library/nginx:latest");
  CHECK(normalized("index.docker.io/a/b") == "docker.io/a/b:latest");
  CHECK(normalized("localhost/app") == "localhost/app:latest");
  CHECK(normalized("localhost:5000/app:v1") == "localhost:5000/app:v1");
  CHECK(normalized("ghcr.io/a/b/c_d__e.f--g:T_1.x-") == "ghcr.io/a/b/c_d__e.f--g:T_1.x-");
  CHECK(normalized("[::1]:5000/app") == "[::1]:5000/app:latest");
  CHECK(normalized("Registry/app") == "Registry/app:latest");
}

TEST_CASE("a digest stands for the tag") {
  CHECK(normalized("nginx@sha256:" + hex) == "docker.io/library/nginx@sha256:" + hex);
  CHECK(normalized("nginx:1@sha256:" + hex) == "docker.io/library/nginx:1@sha256:" + hex);
  CHECK(normalized("sha256:" + hex) == "docker.io/library/sha256:" + hex);
}

TEST_CASE("what breaks the grammar is refused by name") {
  for (const std::string text : {"",
                                 ":latest",
                                 "Nginx",
                                 "a//b",
                                 "-a",
                                 "a-",
                                 "a..b",
                                 "a___b",
                                 "a/b:",
                                 "a:b:c",
                                 "nginx@",
                                 "nginx@sha256:abc",
                                 "nginx@md5:d41d8cd98f00b204e9800998ecf8427e",
                                 "a b",
                                 "a/../b",
                                 "ex_ample.com/a",
                                 "host:port/a",
                                 ".com/a",
                                 "nginx:.x",
                                 "\xff",
                                 "a\n"}) {
    CAPTURE(text);
    CHECK(normalized(text).starts_with("error: image reference '"));
  }
  CHECK(normalized(hex).contains("image id"));
  CHECK(normalized("Nginx") == "error: image reference 'Nginx': repository name must be lowercase");
  CHECK(normalized("nginx:" + std::string(129, 'x')).starts_with("error"));
  CHECK(normalized("nginx:" + std::string(128, 'x')) ==
        "docker.io/library/nginx:" + std::string(128, 'x'));
  CHECK(normalized(std::string(300, 'a')).contains("255"));
}

TEST_CASE("only whole lower-case sha256 digests are digests") {
  CHECK(is_sha256_digest("sha256:" + hex));
  CHECK_FALSE(is_sha256_digest(hex));
  CHECK_FALSE(is_sha256_digest("sha256:" + std::string(63, 'a')));
  CHECK_FALSE(is_sha256_digest("sha256:" + std::string(64, 'A')));
  CHECK_FALSE(is_sha256_digest("sha512:" + hex));
}

}  // namespace koi::images
