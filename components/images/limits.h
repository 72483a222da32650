#pragma once

#include <cstddef>
#include <cstdint>

// What an archive may make this node hold. Everything in an archive is hostile until verified.
namespace koi::images::limits {

inline constexpr std::size_t index_bytes_max = 4 * 1024 * 1024;
inline constexpr std::size_t manifest_bytes_max = 4 * 1024 * 1024;
inline constexpr std::size_t config_bytes_max = 8 * 1024 * 1024;
inline constexpr std::size_t catalog_bytes_max = 64 * 1024 * 1024;
inline constexpr std::size_t index_depth_max = 4;
inline constexpr std::size_t archive_images_max = 1'000;
// Overlayfs and every image builder stop at about this many.
inline constexpr std::size_t image_layers_max = 127;
inline constexpr std::size_t image_names_max = 256;

inline constexpr std::uint64_t tree_entries_max = 2'000'000;
inline constexpr std::uint64_t tree_bytes_max = 64ULL * 1024 * 1024 * 1024;
// A stream may always grow to the first size; beyond it only by the ratio. Real layers stay under
// 30, gzip cannot pass 1,032.
inline constexpr std::uint64_t unpacked_bytes_always_allowed = 1024ULL * 1024 * 1024;
inline constexpr std::uint64_t unpacked_ratio_max = 200;
inline constexpr int zstd_window_log_max = 27;

inline constexpr std::size_t path_bytes_max = 4'095;
inline constexpr std::size_t path_component_bytes_max = 255;
inline constexpr std::size_t replaced_tree_depth_max = 64;
inline constexpr std::size_t xattrs_per_entry_max = 64;
inline constexpr std::size_t xattr_value_bytes_max = 64 * 1024;
inline constexpr std::size_t report_bytes_max = 32 * 1024 * 1024;

static_assert(unpacked_bytes_always_allowed < tree_bytes_max, "the ratio must be able to matter");

}  // namespace koi::images::limits
