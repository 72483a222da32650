#include "apiserver/rendering.h"

#include "api/protobuf.h"
#include "api/table.h"
#include "json/yaml.h"

namespace koi::apiserver {

namespace {

http::Segment literal(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

const http::Segment& comma() {
  static const http::Segment segment = literal(",");
  return segment;
}

const http::Segment& list_end() {
  static const http::Segment segment = literal("]}");
  return segment;
}

void indent(std::string& out, std::size_t depth) {
  out += '\n';
  out.append(2 * depth, ' ');
}

// JSON for people. Depth is bounded by what was parsed.
void print_pretty(const json::Value& value, std::size_t depth, std::string& out) {
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += '{';
    bool is_first = true;
    for (const auto& [key, member] : *object) {
      if (!is_first) out += ',';
      is_first = false;
      indent(out, depth + 1);
      out += json::serialize(json::Value(key)) + ": ";
      print_pretty(member, depth + 1, out);
    }
    indent(out, depth);
    out += '}';
  } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
    out += '[';
    bool is_first = true;
    for (const json::Value& item : *array) {
      if (!is_first) out += ',';
      is_first = false;
      indent(out, depth + 1);
      print_pretty(item, depth + 1, out);
    }
    indent(out, depth);
    out += ']';
  } else {
    out += json::serialize(value);
  }
}

json::Object list_metadata(const ListResult& list) {
  json::Object metadata;
  metadata["resourceVersion"] = std::to_string(list.revision);
  if (!list.continue_token.empty()) metadata["continue"] = list.continue_token;
  if (list.remaining) metadata["remainingItemCount"] = *list.remaining;
  return metadata;
}

api::TableOptions table_options(const Rendering& rendering, const api::Object* sample,
                                base::WallTime now) {
  api::TableOptions options;
  options.now = now;
  options.version = rendering.meta_version;
  if (rendering.include_object == "None") options.include = api::IncludeObject::none;
  if (rendering.include_object == "Object") options.include = api::IncludeObject::object;
  if (sample != nullptr) {
    const std::string_view version = sample->api_version();
    const auto slash = version.find('/');
    options.group = slash == std::string_view::npos ? "" : version.substr(0, slash);
    options.kind = sample->kind();
  }
  return options;
}

http::Response plain_list(const Resource& resource, const ListResult& list) {
  std::vector<http::Segment> segments;
  segments.reserve(2 * list.items.size() + 2);
  std::string head = R"({"kind":")" + std::string(resource.kind->list_kind) +
                     R"(","apiVersion":")" + std::string(resource.kind->api_version) +
                     R"(","metadata":)" + json::serialize(list_metadata(list)) + R"(,"items":[)";
  segments.push_back(literal(std::move(head)));
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i != 0) segments.push_back(comma());
    segments.push_back(segment_of(list.items[i]));
  }
  segments.push_back(list_end());
  http::Response response;
  response.headers.set("Content-Type", "application/json");
  response.body = std::move(segments);
  return response;
}

json::Value list_value(const Rendering& rendering, const Resource& resource,
                       const ListResult& list) {
  const bool is_partial = rendering.view == View::partial;
  json::Object out;
  out["kind"] =
      is_partial ? std::string_view("PartialObjectMetadataList") : resource.kind->list_kind;
  out["apiVersion"] = is_partial ? "meta.k8s.io/" + rendering.meta_version
                                 : std::string(resource.kind->api_version);
  out["metadata"] = list_metadata(list);
  json::Array& items = out["items"].emplace_array();
  items.reserve(list.items.size());
  for (const auto& object : list.items) {
    if (is_partial) {
      items.push_back(api::partial_metadata(object->value(), rendering.meta_version));
    } else {
      items.push_back(object->value());
    }
  }
  return out;
}

}  // namespace

http::Segment segment_of(const api::ObjectPtr& object) {
  return http::Segment(object, &object->bytes());
}

http::Response render_value(const Rendering& rendering, const api::Schema& schema,
                            const json::Value& value, int code) {
  http::Response response;
  response.status = code;
  std::string type = "application/json";
  std::string body;
  if (rendering.format == Format::yaml) {
    body = json::to_yaml(value);
    type = "application/yaml";
  } else if (rendering.format == Format::protobuf) {
    if (auto encoded = api::encode_protobuf(value, schema)) {
      body = std::move(*encoded);
      type = api::protobuf_media_type;
    }
  }
  if (body.empty() && rendering.is_pretty) {
    print_pretty(value, 0, body);
  } else if (body.empty()) {
    body = json::serialize(value);
  }
  response.headers.set("Content-Type", std::move(type));
  response.body = std::move(body);
  return response;
}

http::Response render_status(const Rendering& rendering, const api::Status& status) {
  Rendering plain = rendering;
  plain.view = View::object;
  auto response = render_value(plain, api::builtin_schema(), status.to_json(), status.http_code);
  if (status.details.retry_after_seconds > 0) {
    response.headers.set("Retry-After", std::to_string(status.details.retry_after_seconds));
  }
  return response;
}

http::Response render_object(const Rendering& rendering, const api::Schema& schema,
                             base::WallTime now, const api::ObjectPtr& object, int code) {
  if (rendering.view == View::table && object->kind() != "Status") {
    const json::Value* const rows[] = {&object->value()};
    json::Object metadata;
    metadata["resourceVersion"] = object->resource_version();
    const json::Value list_meta = std::move(metadata);
    return render_value(
        rendering, schema,
        api::make_table(rows, &list_meta, table_options(rendering, object.get(), now)), code);
  }
  if (rendering.view == View::partial && object->kind() != "Status") {
    return render_value(rendering, schema,
                        api::partial_metadata(object->value(), rendering.meta_version), code);
  }
  if (rendering.format != Format::json || rendering.is_pretty) {
    return render_value(rendering, schema, object->value(), code);
  }
  http::Response response;
  response.status = code;
  response.headers.set("Content-Type", "application/json");
  response.body = std::vector<http::Segment>{segment_of(object)};
  return response;
}

http::Response render_list(const Rendering& rendering, const Resource& resource,
                           const api::Schema& schema, base::WallTime now, const ListResult& list) {
  if (rendering.view == View::table) {
    std::vector<const json::Value*> rows;
    rows.reserve(list.items.size());
    for (const auto& object : list.items) rows.push_back(&object->value());
    const json::Value metadata = list_metadata(list);
    api::TableOptions options = table_options(rendering, nullptr, now);
    options.group = resource.group();
    options.kind = resource.kind->kind;
    return render_value(rendering, schema, api::make_table(rows, &metadata, options), 200);
  }
  if (rendering.format == Format::json && rendering.view == View::object && !rendering.is_pretty) {
    return plain_list(resource, list);
  }
  return render_value(rendering, schema, list_value(rendering, resource, list), 200);
}

}  // namespace koi::apiserver
