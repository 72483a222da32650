#include "client/http_client.h"

#include <utility>
#include <variant>

#include "api/status.h"
#include "base/limits.h"
#include "client/api_path.h"
#include "client/object_key.h"
#include "client/watch_decoder.h"

namespace koi::client {

namespace {

constexpr std::int64_t page_objects = 500;

bool is_success(int status) { return status >= 200 && status < 300; }

// What an answer that is no success says, as the code that a caller acts on.
base::Error error_of(int status, std::string_view body) {
  const auto parsed = json::parse(body);
  const bool is_status = parsed && json::string_at(*parsed, {"kind"}) == "Status";
  if (is_status) return api::Status::from_json(*parsed).to_error();
  base::Code code = base::Code::internal;
  if (status == 401) code = base::Code::unauthorized;
  if (status == 403) code = base::Code::forbidden;
  if (status == 404) code = base::Code::not_found;
  if (status == 429 || status == 502 || status == 503 || status == 504) {
    code = base::Code::unavailable;
  }
  return {.code = code, .message = "the server answered with status " + std::to_string(status)};
}

std::string_view content_type_of(PatchType type) {
  switch (type) {
    case PatchType::json:
      return "application/json-patch+json";
    case PatchType::merge:
      return "application/merge-patch+json";
    case PatchType::strategic_merge:
      return "application/strategic-merge-patch+json";
    case PatchType::apply:
      return "application/apply-patch+yaml";
  }
  return "";
}

// Items of a list do not say what they are; the list does.
ObjectList read_list(json::Value value) {
  ObjectList list;
  list.resource_version = json::string_at(value, {"metadata", "resourceVersion"});
  list.continue_token = json::string_at(value, {"metadata", "continue"});
  const std::string api_version(json::string_at(value, {"apiVersion"}));
  std::string kind(json::string_at(value, {"kind"}));
  if (kind.ends_with("List")) kind.resize(kind.size() - 4);
  json::Value* found = json::find(value, {"items"});
  json::Array* items = found != nullptr ? found->if_array() : nullptr;
  if (items == nullptr) return list;
  for (auto& item : *items) {
    if (!item.is_object()) continue;
    if (json::string_at(item, {"kind"}).empty()) {
      json::set(item, {"apiVersion"}, text(api_version));
      json::set(item, {"kind"}, text(kind));
    }
    list.items.push_back(api::make_object(std::move(item)));
  }
  return list;
}

base::Task<base::Result<std::string>> collect(http::BodyStream& stream) {
  std::string bytes;
  while (bytes.size() < base::limits::object_bytes_max) {
    auto segments = co_await stream.next();
    if (!segments) co_return base::fail(std::move(segments).error());
    if (!segments->has_value()) break;
    for (const auto& segment : **segments) bytes.append(*segment);
  }
  co_return bytes;
}

}  // namespace

class HttpWatch final : public Watch {
 public:
  HttpWatch(HttpClient& client, HttpClient::Connection connection, bool owns_connection,
            std::unique_ptr<http::BodyStream> body)
      : client_(client),
        connection_(std::move(connection)),
        owns_connection_(owns_connection),
        body_(std::move(body)) {}
  ~HttpWatch() override {
    body_.reset();
    if (owns_connection_) client_.retire(std::move(connection_));
  }

  base::Task<base::Result<std::vector<WatchEvent>>> next() override {
    if (failure_) co_return base::fail(*failure_);
    std::vector<WatchEvent> events;
    while (events.empty()) {
      auto segments = co_await body_->next();
      if (!segments) co_return base::fail(std::move(segments).error());
      if (!segments->has_value()) {
        co_return base::fail(base::Code::unavailable, "the watch ended");
      }
      for (const auto& segment : **segments) {
        auto fed = decoder_.feed(*segment, events);
        if (fed) continue;
        // What came before the failure counts; the failure comes next.
        failure_ = std::move(fed).error();
        break;
      }
      if (failure_ && events.empty()) co_return base::fail(*failure_);
    }
    co_return events;
  }

 private:
  HttpClient& client_;
  HttpClient::Connection connection_;
  const bool owns_connection_;
  std::unique_ptr<http::BodyStream> body_;
  WatchDecoder decoder_;
  std::optional<base::Error> failure_;
};

HttpClient::HttpClient(base::Clock& clock, http::Dialer& dialer, const base::Executor& executor,
                       HttpClientOptions options)
    : clock_(clock),
      dialer_(dialer),
      options_(std::move(options)),
      retiring_(executor),
      connected_(executor) {}

HttpClient::~HttpClient() = default;

base::Task<> HttpClient::stop() {
  if (auto last = std::exchange(current_, nullptr)) co_await last->stop();
  co_await retiring_.wait_idle();
}

base::Task<> HttpClient::stop_one(Connection connection) { co_await connection->stop(); }

void HttpClient::retire(Connection connection) {
  if (connection != nullptr) retiring_.spawn("client.retire", stop_one(std::move(connection)));
}

base::Task<base::Result<HttpClient::Connection>> HttpClient::connect() {
  auto connected = co_await http::Client::connect(clock_, dialer_, options_.endpoint,
                                                  options_.authority, options_.tls, options_.http);
  if (!connected) {
    co_return base::fail(
        std::move(connected).error().during("connect to '" + options_.authority + "'"));
  }
  co_return Connection(std::move(*connected));
}

base::Task<base::Result<HttpClient::Connection>> HttpClient::connection() {
  while (connecting_) co_await connected_.wait();
  if (current_ != nullptr && current_->alive()) co_return current_;
  retire(std::exchange(current_, nullptr));
  // Also a task that is cancelled while it connects lets the next one try.
  struct Turn {
    HttpClient& client;
    ~Turn() {
      client.connecting_ = false;
      client.connected_.notify_all();
    }
  };
  connecting_ = true;
  const Turn turn{*this};
  auto fresh = co_await connect();
  if (fresh) current_ = *fresh;
  co_return fresh;
}

http::Request HttpClient::make_request(http::Method method, std::string target) const {
  http::Request request;
  request.method = method;
  request.target = std::move(target);
  request.headers.set("Accept", "application/json");
  request.headers.set("User-Agent", options_.user_agent);
  if (!options_.bearer_token.empty()) {
    request.headers.set("Authorization", "Bearer " + options_.bearer_token);
  }
  return request;
}

base::Task<base::Result<json::Value>> HttpClient::send(http::Request request) {
  const auto connected = co_await connection();
  if (!connected) co_return base::fail(connected.error());
  const auto response = co_await (*connected)->send(std::move(request));
  if (!response) co_return base::fail(response.error());
  const auto body = http::body_text(response->body);
  if (!is_success(response->status)) co_return base::fail(error_of(response->status, body));
  auto value = json::parse(body);
  if (!value) {
    co_return base::fail(base::Code::corrupt, "read the answer: " + value.error().message);
  }
  co_return std::move(*value);
}

base::Task<base::Result<api::ObjectPtr>> HttpClient::send_object(http::Request request) {
  auto value = co_await send(std::move(request));
  if (!value) co_return base::fail(std::move(value).error());
  co_return api::make_object(std::move(*value));
}

base::Task<base::Result<api::ObjectPtr>> HttpClient::get(const ObjectRef& ref) {
  auto request = make_request(http::Method::get, path_of(ref));
  co_return co_await send_object(std::move(request));
}

base::Task<base::Result<ObjectList>> HttpClient::list(const Resource& resource,
                                                      const std::string& name_space,
                                                      const ListOptions& options) {
  const ObjectRef ref{.resource = resource, .name_space = name_space};
  // Pages bound what is in flight, however many objects there are.
  ListOptions paged = options;
  if (paged.limit == 0) paged.limit = page_objects;
  auto request = make_request(http::Method::get, path_of(ref) + query_of(paged));
  auto value = co_await send(std::move(request));
  if (!value) co_return base::fail(std::move(value).error());
  auto list = read_list(std::move(*value));
  while (options.limit == 0 && !list.continue_token.empty()) {
    paged.continue_token = list.continue_token;
    auto next_request = make_request(http::Method::get, path_of(ref) + query_of(paged));
    auto next = co_await send(std::move(next_request));
    if (!next) co_return base::fail(std::move(next).error());
    auto page = read_list(std::move(*next));
    list.continue_token = std::move(page.continue_token);
    for (auto& item : page.items) list.items.push_back(std::move(item));
  }
  co_return list;
}

base::Task<base::Result<std::unique_ptr<Watch>>> HttpClient::watch(const Resource& resource,
                                                                   const std::string& name_space,
                                                                   const WatchOptions& options) {
  const ObjectRef ref{.resource = resource, .name_space = name_space};
  auto shared = co_await connection();
  if (!shared) co_return base::fail(std::move(shared).error());
  // HTTP/1.1 carries nothing beside a body that does not end.
  const bool owns = (*shared)->protocol() != "h2";
  if (owns) {
    shared = co_await connect();
    if (!shared) co_return base::fail(std::move(shared).error());
  }
  auto request = make_request(http::Method::get, path_of(ref) + query_of(options));
  auto response = co_await (*shared)->open(std::move(request));
  if (!response) {
    if (owns) retire(std::move(*shared));
    co_return base::fail(std::move(response).error());
  }
  auto* stream = std::get_if<std::unique_ptr<http::BodyStream>>(&response->body);
  if (is_success(response->status) && stream != nullptr) {
    std::unique_ptr<Watch> opened =
        std::make_unique<HttpWatch>(*this, std::move(*shared), owns, std::move(*stream));
    co_return opened;
  }
  std::string body;
  if (stream == nullptr) {
    body = http::body_text(response->body);
  } else if (auto collected = co_await collect(**stream)) {
    body = std::move(*collected);
  }
  response->body = std::string();
  if (owns) retire(std::move(*shared));
  co_return base::fail(error_of(response->status, body));
}

base::Task<base::Result<api::ObjectPtr>> HttpClient::create(const ObjectRef& ref,
                                                            json::Value object) {
  ObjectRef place = ref;
  // An object is created in its collection, a subresource such as a binding at its object.
  if (place.subresource.empty()) place.name.clear();
  auto request = make_request(http::Method::post, path_of(place));
  request.headers.set("Content-Type", "application/json");
  request.body = json::serialize(object);
  co_return co_await send_object(std::move(request));
}

base::Task<base::Result<api::ObjectPtr>> HttpClient::update(const ObjectRef& ref,
                                                            json::Value object) {
  auto request = make_request(http::Method::put, path_of(ref));
  request.headers.set("Content-Type", "application/json");
  request.body = json::serialize(object);
  co_return co_await send_object(std::move(request));
}

base::Task<base::Result<api::ObjectPtr>> HttpClient::patch(const ObjectRef& ref, PatchType type,
                                                           json::Value patch) {
  std::string target = path_of(ref);
  if (type == PatchType::apply) target += "?fieldManager=koi&force=true";
  auto request = make_request(http::Method::patch, std::move(target));
  request.headers.set("Content-Type", content_type_of(type));
  request.body = json::serialize(patch);
  co_return co_await send_object(std::move(request));
}

base::Task<base::Result<>> HttpClient::remove(const ObjectRef& ref, const DeleteOptions& options) {
  auto request = make_request(http::Method::delete_, path_of(ref));
  request.headers.set("Content-Type", "application/json");
  request.body = json::serialize(body_of(options));
  const auto value = co_await send(std::move(request));
  if (!value) co_return base::fail(value.error());
  co_return base::Result<>();
}

}  // namespace koi::client
