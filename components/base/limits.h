#pragma once

#include <chrono>
#include <cstddef>

// Every bound that koi places on what others send or on what it keeps, with its unit last in the
// name. The relations between them are asserted here.
namespace koi::base::limits {

using namespace std::chrono_literals;

inline constexpr std::size_t request_body_bytes_max = 3 * 1024 * 1024;
inline constexpr std::size_t object_bytes_max = 1'572'864;
inline constexpr std::size_t request_header_bytes_max = 64 * 1024;
inline constexpr std::size_t json_depth_max = 128;
inline constexpr std::size_t yaml_alias_expansions_max = 1'000;
inline constexpr std::size_t watch_queue_events_max = 4'096;
inline constexpr std::size_t watch_window_events_max = 20'000;
inline constexpr std::size_t watch_window_events_min = 1'000;
inline constexpr std::size_t watch_window_bytes_max = 8 * 1024 * 1024;
inline constexpr std::size_t commit_batch_writes_max = 1'000;
inline constexpr std::int64_t revisions_reserved_ahead = 10'000;
inline constexpr std::size_t compaction_garbage_bytes_min = 4 * 1024 * 1024;
inline constexpr std::size_t list_page_objects_max = 100'000;
inline constexpr std::size_t connections_max = 10'000;
inline constexpr std::size_t http2_streams_per_connection_max = 250;

inline constexpr auto request_timeout = 60s;
inline constexpr auto connection_idle_timeout = 180s;
inline constexpr auto tls_handshake_timeout = 10s;
inline constexpr auto lazy_flush_interval = 5s;

static_assert(request_body_bytes_max >= object_bytes_max, "a body must be able to hold one object");

}  // namespace koi::base::limits
