#pragma once

#include <string>
#include <string_view>

#include "api/schema.h"
#include "base/result.h"
#include "json/value.h"

// The protobuf form of objects, byte for byte as upstream writes it. Any thread.
namespace koi::api {

// What every protobuf body starts with.
inline constexpr std::string_view protobuf_magic{"k8s\0", 4};
inline constexpr std::string_view protobuf_media_type = "application/vnd.kubernetes.protobuf";

// runtime.Unknown: the envelope round a message. Views into the bytes that were read.
struct ProtobufEnvelope {
  std::string_view api_version;
  std::string_view kind;
  std::string_view message;
  std::string_view content_encoding;
  std::string_view content_type;
};

// Fails with invalid where the magic is missing or the bytes are no envelope.
base::Result<ProtobufEnvelope> read_envelope(std::string_view bytes);
std::string write_envelope(std::string_view api_version, std::string_view kind,
                           std::string_view message);

// The message of a decoded object or list, without its envelope. `value` has the stored form that
// decode() gives; fails with internal where it does not match `type`.
base::Result<std::string> encode_message(const json::Value& value, const Type& type);
// The stored form of a message. Bounded in depth and size; unknown numbers are skipped.
base::Result<json::Value> decode_message(std::string_view message, const Type& type);

// Magic, envelope and message of an object, a list or a Status that says its apiVersion and kind.
base::Result<std::string> encode_protobuf(const json::Value& value, const Schema& schema);
// The object in an envelope, with apiVersion and kind set. Fails with invalid where the kind is
// unknown: nothing is ever decoded as if it were empty.
base::Result<json::Value> decode_protobuf(std::string_view bytes, const Schema& schema);

// One event of a protobuf watch: length, WatchEvent, and in it `object`, bytes of
// encode_protobuf().
std::string protobuf_watch_frame(std::string_view type, std::string_view object);

}  // namespace koi::api
