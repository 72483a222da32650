#include "api/protobuf.h"

#include "api/protobuf_wire.h"

namespace koi::api {

namespace {

using wire::Item;
using wire::Reader;
using wire::ReverseWriter;
using wire::WireType;

// Field numbers of runtime.Unknown and of the TypeMeta in it.
constexpr std::uint32_t type_meta_number = 1;
constexpr std::uint32_t raw_number = 2;
constexpr std::uint32_t content_encoding_number = 3;
constexpr std::uint32_t content_type_number = 4;

}  // namespace

base::Result<ProtobufEnvelope> read_envelope(std::string_view bytes) {
  if (!bytes.starts_with(protobuf_magic)) {
    return base::fail(base::Code::invalid,
                      "provided data does not appear to be a protobuf message, expected prefix "
                      "[107 56 115 0]");
  }
  ProtobufEnvelope out;
  std::string_view type_meta;
  Reader reader(bytes.substr(protobuf_magic.size()));
  Item item;
  while (reader.next(item)) {
    if (item.type != WireType::bytes) continue;
    if (item.number == type_meta_number) type_meta = item.content;
    if (item.number == raw_number) out.message = item.content;
    if (item.number == content_encoding_number) out.content_encoding = item.content;
    if (item.number == content_type_number) out.content_type = item.content;
  }
  Reader meta(type_meta);
  while (meta.next(item)) {
    if (item.type != WireType::bytes) continue;
    if (item.number == 1) out.api_version = item.content;
    if (item.number == 2) out.kind = item.content;
  }
  if (reader.failed() || meta.failed()) return base::fail(base::Code::invalid, "unexpected EOF");
  return out;
}

std::string write_envelope(std::string_view api_version, std::string_view kind,
                           std::string_view message) {
  ReverseWriter out;
  out.bytes(content_type_number, {});
  out.bytes(content_encoding_number, {});
  out.bytes(raw_number, message);
  const std::size_t before = out.size();
  out.bytes(2, kind);
  out.bytes(1, api_version);
  out.close(type_meta_number, before);
  out.raw(protobuf_magic);
  return out.take();
}

base::Result<std::string> encode_protobuf(const json::Value& value, const Schema& schema) {
  const std::string_view api_version = json::string_at(value, {"apiVersion"});
  const std::string_view kind = json::string_at(value, {"kind"});
  const Type* type = schema.find_body_type(api_version, kind);
  if (type == nullptr) {
    return base::fail(base::Code::unsupported, "'" + std::string(api_version) + ", Kind=" +
                                                   std::string(kind) + "' has no protobuf form");
  }
  const auto message = encode_message(value, *type);
  if (!message) return message;
  return write_envelope(api_version, kind, *message);
}

base::Result<json::Value> decode_protobuf(std::string_view bytes, const Schema& schema) {
  const auto envelope = read_envelope(bytes);
  if (!envelope) return base::fail(envelope.error());
  const Type* type = schema.find_body_type(envelope->api_version, envelope->kind);
  if (type == nullptr) {
    return base::fail(base::Code::invalid, "no kind \"" + std::string(envelope->kind) +
                                               "\" is registered for version \"" +
                                               std::string(envelope->api_version) + "\"");
  }
  auto decoded = decode_message(envelope->message, *type);
  if (!decoded) return decoded;
  // Both names first, as upstream prints them.
  json::Object object(decoded->storage());
  object.reserve(decoded->get_object().size() + 2);
  object["kind"] = envelope->kind;
  object["apiVersion"] = envelope->api_version;
  for (auto& member : decoded->get_object()) {
    object.emplace(member.key(), std::move(member.value()));
  }
  return json::Value(std::move(object));
}

std::string protobuf_watch_frame(std::string_view type, std::string_view object) {
  ReverseWriter out;
  const std::size_t end = out.size();
  out.bytes(1, object);
  out.close(2, end);
  out.bytes(1, type);
  const std::size_t length = out.size();
  char prefix[4];
  for (unsigned i = 0; i < 4; ++i) prefix[i] = static_cast<char>(length >> (8U * (3U - i)));
  out.raw({prefix, sizeof prefix});
  return out.take();
}

}  // namespace koi::api
