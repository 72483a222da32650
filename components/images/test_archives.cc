#include "images/test_archives.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/check.h"
#include "images/digest.h"

namespace koi::images {

namespace {

std::string octal(std::uint64_t value, std::size_t width) {
  std::string text(width, '0');
  for (std::size_t i = width - 1; i-- > 0; value /= 8) text[i] = static_cast<char>('0' + value % 8);
  text[width - 1] = '\0';
  return text;
}

std::string block(const TarEntry& entry, const std::string& path, std::size_t size) {
  std::string header(512, '\0');
  auto put = [&](std::size_t at, std::string_view text) { header.replace(at, text.size(), text); };
  put(0, std::string_view(path).substr(0, 100));
  put(100, octal(entry.mode, 8));
  put(108, octal(entry.user, 8));
  put(116, octal(entry.group, 8));
  put(124, octal(size, 12));
  put(136, octal(entry.modified, 12));
  header[156] = entry.type;
  put(157, std::string_view(entry.link).substr(0, 100));
  put(257, std::string_view("ustar\00000", 8));
  put(148, "        ");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, octal(sum, 7));
  return header;
}

std::string padded(std::string text) {
  text.resize((text.size() + 511) / 512 * 512, '\0');
  return text;
}

std::string pax_records(const std::map<std::string, std::string>& pax) {
  std::string text;
  for (const auto& [key, value] : pax) {
    const std::string rest = " " + key + "=" + value + "\n";
    std::size_t length = rest.size() + 1;
    while (std::to_string(length).size() + rest.size() != length) {
      length = std::to_string(length).size() + rest.size();
    }
    text += std::to_string(length) + rest;
  }
  return text;
}

std::string descriptor(std::string_view type, const std::string& blob) {
  return R"({"mediaType":")" + std::string(type) + R"(","digest":")" + digest_of(blob) +
         R"(","size":)" + std::to_string(blob.size());
}

std::string layer_type(const TestLayer& layer) {
  std::string type = "application/vnd.oci.image.layer.v1.tar";
  if (layer.blob.starts_with("\x1f\x8b")) type += "+gzip";
  if (layer.blob.starts_with("\x28\xb5")) type += "+zstd";
  return type;
}

}  // namespace

std::string make_tar(const std::vector<TarEntry>& entries) {
  std::string tar;
  for (const TarEntry& entry : entries) {
    auto pax = entry.pax;
    if (entry.path.size() > 100) pax["path"] = entry.path;
    if (entry.link.size() > 100) pax["linkpath"] = entry.link;
    if (!pax.empty()) {
      const std::string records = pax_records(pax);
      TarEntry header;
      header.type = 'x';
      tar += block(header, "pax", records.size()) + padded(records);
    }
    tar += block(entry, entry.path, entry.content.size()) + padded(entry.content);
  }
  return tar + std::string(1024, '\0');
}

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  CHECK_THAT(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "gzip");
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK_THAT(deflate(&stream, Z_FINISH) == Z_STREAM_END, "gzip");
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

TemporaryDirectory::TemporaryDirectory(Where where) {
  const base::Path memory = "/dev/shm";
  const bool in_memory = where == Where::memory && ::access(memory.c_str(), W_OK) == 0;
  const base::Path parent = in_memory ? memory : std::filesystem::temp_directory_path();
  std::string name = (parent / "koi-images-XXXXXX").string();
  CHECK_THAT(::mkdtemp(name.data()) != nullptr, "temporary directory");
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string damaged(std::string bytes, std::uint64_t seed) {
  std::uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
  auto next = [&state] {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  };
  constexpr std::string_view favourites(
      "\0/.\xff"
      "0157;\n =",
      12);
  for (std::uint64_t i = next() % 6 + 1; i > 0; --i) {
    char& byte = bytes[next() % bytes.size()];
    byte = next() % 2 == 0 ? static_cast<char>(next()) : favourites[next() % favourites.size()];
  }
  return bytes;
}

void write_file(const base::Path& path, std::string_view bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  CHECK_THAT(file.good(), "write");
}

std::string read_file(const base::Path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string TestImage::config() const {
  std::string diff_ids;
  for (const TestLayer& layer : layers) {
    diff_ids += (diff_ids.empty() ? "\"" : ",\"") + digest_of(layer.tar) + "\"";
  }
  return R"({"os":"linux","architecture":")" + architecture + R"(","config":{)" + config_fields +
         R"(},"rootfs":{"type":"layers","diff_ids":[)" + diff_ids + "]}}";
}

std::string TestImage::manifest() const {
  std::string list;
  for (const TestLayer& layer : layers) {
    list += (list.empty() ? "" : ",") + descriptor(layer_type(layer), layer.blob) + "}";
  }
  return R"({"schemaVersion":2,"config":)" +
         descriptor("application/vnd.oci.image.config.v1+json", config()) + R"(},"layers":[)" +
         list + "]}";
}

ArchiveFiles oci_layout(const std::vector<TestImage>& images) {
  ArchiveFiles files;
  std::string list;
  auto add_blob = [&](const std::string& blob) {
    files["blobs/sha256/" + digest_of(blob).substr(7)] = blob;
  };
  for (const TestImage& image : images) {
    add_blob(image.config());
    add_blob(image.manifest());
    for (const TestLayer& layer : image.layers) add_blob(layer.blob);
    std::vector<std::string> names = image.names;
    if (names.empty()) names.emplace_back();
    for (const std::string& name : names) {
      list += (list.empty() ? "" : ",") +
              descriptor("application/vnd.oci.image.manifest.v1+json", image.manifest()) +
              R"(,"platform":{"os":"linux","architecture":")" + image.architecture + "\"}";
      if (!name.empty()) list += R"(,"annotations":{"io.containerd.image.name":")" + name + "\"}";
      list += "}";
    }
  }
  files["oci-layout"] = R"({"imageLayoutVersion":"1.0.0"})";
  files["index.json"] = R"({"schemaVersion":2,"manifests":[)" + list + "]}";
  return files;
}

ArchiveFiles docker_archive(const std::vector<TestImage>& images) {
  ArchiveFiles files;
  std::string list;
  for (const TestImage& image : images) {
    const std::string config = digest_of(image.config()).substr(7) + ".json";
    files[config] = image.config();
    std::string layers;
    for (const TestLayer& layer : image.layers) {
      const std::string path = digest_of(layer.tar).substr(7) + "/layer.tar";
      files[path] = layer.blob;
      layers += (layers.empty() ? "\"" : ",\"") + path + "\"";
    }
    std::string names;
    for (const std::string& name : image.names) {
      names += (names.empty() ? "\"" : ",\"") + name + "\"";
    }
    list += (list.empty() ? "" : ",");
    list +=
        R"({"Config":")" + config + R"(","RepoTags":[)" + names + R"(],"Layers":[)" + layers + "]}";
  }
  files["manifest.json"] = "[" + list + "]";
  return files;
}

std::string pack(const ArchiveFiles& files) {
  std::vector<TarEntry> entries;
  for (const auto& [path, content] : files) {
    TarEntry entry;
    entry.path = path;
    entry.content = content;
    entries.push_back(std::move(entry));
  }
  return make_tar(entries);
}

void spread(const ArchiveFiles& files, const base::Path& directory) {
  for (const auto& [path, content] : files) write_file(directory / path, content);
}

}  // namespace koi::images
