#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace koi::images {

// An image reference in its parts, as Docker's grammar has them.
struct Reference {
  std::string domain;  // "docker.io", "localhost:5000"
  std::string path;    // "library/nginx"
  std::string tag;     // "latest"; empty when only a digest was given
  std::string digest;  // "sha256:<hex>" or empty

  // "docker.io/library/nginx".
  std::string repository() const { return domain + "/" + path; }
  // Everything that was said: repository, then ":tag", then "@digest".
  std::string text() const;
};

// Reads and completes a reference: "nginx" is docker.io/library/nginx:latest. Fails with invalid.
base::Result<Reference> parse_reference(std::string_view text);

// "sha256:" and 64 lower-case hexadecimal digits, the only algorithm that images use in practice.
bool is_sha256_digest(std::string_view text);

}  // namespace koi::images
