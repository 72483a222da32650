#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "images/catalog.h"
#include "images/image_archive.h"
#include "images/store_paths.h"
#include "images/unpacker.h"

namespace koi::images {

// The blocking half of the store: moves images between archives, disk and catalog. Every call takes
// the catalog that holds and returns the one that holds afterwards, which is then durable. A failed
// call leaves disk and catalog as they were. One call at a time; any thread.
class StoreContent {
 public:
  StoreContent(base::Files& files, StorePaths paths, Unpacker unpacker, std::string architecture)
      : files_(files),
        paths_(std::move(paths)),
        unpacker_(std::move(unpacker)),
        architecture_(std::move(architecture)) {}

  // Reads the catalog, drops images that are not whole and sweeps what no image refers to.
  base::Result<Catalog> open();

  struct Imported {
    Catalog catalog;
    std::vector<std::string> manifest_digests;
  };
  base::Result<Imported> import(const Catalog& catalog, const base::Path& archive,
                                const std::string& name);

  // Makes `after` the disk's catalog, then drops from the disk what it does not refer to. Fails
  // only while the disk's catalog is still `before`.
  base::Result<> replace(const Catalog& before, const Catalog& after);

  // What the node shows about an image.
  base::Result<Image> describe(const CatalogImage& image);

 private:
  base::Result<> empty_staging();
  base::Result<linux::UniqueFd> open_archive(const base::Path& archive, bool& owned);
  base::Result<> unpack_archive(const base::Path& archive);
  base::Result<std::vector<CatalogImage>> stage(const Catalog& catalog, const base::Path& archive,
                                                const std::string& name);
  base::Result<CatalogImage> stage_image(const Catalog& catalog, const ImageArchive& source,
                                         bool owned, ArchivedImage image);
  base::Result<linux::UniqueFd> stage_copy(linux::UniqueFd file, CatalogLayer& layer);
  base::Result<CatalogLayer> stage_layer(const Catalog& catalog, const ImageArchive& source,
                                         bool owned, const ArchivedLayer& layer);
  base::Result<> stage_tree(const Catalog& catalog, int blob, const CatalogLayer& layer);
  base::Result<> stage_bytes(const std::string& digest, const std::string& content);
  base::Result<> commit(const Catalog& catalog, const std::vector<CatalogImage>& images);
  base::Result<> sweep(const base::Path& directory, const std::set<std::string>& referred);
  base::Result<> move_all(const base::Path& source, const base::Path& target);
  base::Result<> save(const Catalog& catalog);
  base::Result<bool> is_whole(const CatalogImage& image);

  base::Files& files_;
  StorePaths paths_;
  Unpacker unpacker_;
  std::string architecture_;
};

}  // namespace koi::images
