#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace koi::images {

struct CatalogLayer {
  std::string digest;   // of the blob as it came
  std::string diff_id;  // of the plain tar: names the unpacked directory
  std::uint64_t size_bytes = 0;

  friend bool operator==(const CatalogLayer&, const CatalogLayer&) = default;
};

struct CatalogImage {
  std::string manifest_digest;
  std::string config_digest;
  std::set<std::string> names;       // normalized
  std::set<std::string> aliases;     // digests of indexes that led here
  std::vector<CatalogLayer> layers;  // lowest first

  friend bool operator==(const CatalogImage&, const CatalogImage&) = default;
};

// What the store holds, in memory: a value. What no image refers to may be removed from the disk.
class Catalog {
 public:
  // Adds an image or adds names to it. A name that another image had moves over.
  void add(CatalogImage image);

  // Takes a name away, or with a digest or image id the whole image. An image whose last name goes
  // goes too. False when nothing was known by that reference.
  bool remove(std::string_view reference);

  // By name, name@digest, digest or image id (with or without "sha256:").
  const CatalogImage* find(std::string_view reference) const;

  const std::map<std::string, CatalogImage>& images() const { return images_; }

  // What is referred to: digests of manifests, configs and layer blobs; diff ids.
  std::set<std::string> blobs() const;
  std::set<std::string> layers() const;

  // As the disk holds it. parse() fails with corrupt, or with unsupported for a newer format.
  std::string serialize() const;
  static base::Result<Catalog> parse(std::string_view text);

  friend bool operator==(const Catalog&, const Catalog&) = default;

 private:
  std::map<std::string, CatalogImage> images_;  // by manifest digest
};

}  // namespace koi::images
