#include "node/node_commands.h"

#include <boost/asio/io_context.hpp>

#include "base/blocking_pool.h"
#include "base/os.h"
#include "http/client.h"
#include "http/socket_stream.h"
#include "http/url.h"
#include "images/disk_image_store.h"
#include "json/value.h"
#include "node/server_paths.h"

namespace koi::node {

namespace {

using base::Code;
using base::Result;
using base::Task;

json::Value to_json(const std::vector<images::Image>& images) {
  json::Array lines;
  for (const images::Image& image : images) {
    json::Array names;
    for (const std::string& name : image.names) names.emplace_back(name);
    lines.push_back(json::Object{{"names", std::move(names)},
                                 {"id", image.id},
                                 {"sizeBytes", static_cast<std::int64_t>(image.size_bytes)}});
  }
  return json::Object{{"images", std::move(lines)}};
}

Result<std::vector<ImageLine>> from_json(std::string_view text) {
  auto parsed = json::parse(text);
  if (!parsed) return base::fail(std::move(parsed).error().during("read the node's answer"));
  std::vector<ImageLine> lines;
  for (const json::Value& item : json::array_at(*parsed, {"images"})) {
    ImageLine line;
    for (const json::Value& name : json::array_at(item, {"names"})) {
      line.names.emplace_back(json::string_at(name, {}));
    }
    line.id = json::string_at(item, {"id"});
    line.size_bytes = static_cast<std::uint64_t>(json::int_at(item, {"sizeBytes"}, 0));
    lines.push_back(std::move(line));
  }
  return lines;
}

http::Response refusal(const base::Error& error) {
  const int status = error.code == Code::not_found ? 404 : error.code == Code::invalid ? 400 : 500;
  return http::Response::text(status, error.message);
}

http::Response answer(const std::vector<images::Image>& images) {
  return http::Response::text(200, json::serialize(to_json(images)), "application/json");
}

// Asks the koi that serves the data directory.
Task<Result<std::string>> ask(base::Clock& clock, http::Endpoint endpoint, http::Request request) {
  const auto dialer = http::make_socket_dialer();
  http::ClientOptions options;
  options.request_timeout = std::chrono::minutes(10);
  auto client = co_await http::Client::connect(clock, *dialer, endpoint, "koi", nullptr, options);
  if (!client) co_return base::fail(std::move(client).error());
  auto response = co_await (*client)->send(std::move(request));
  co_await (*client)->stop();
  if (!response) co_return base::fail(std::move(response).error());
  std::string text = http::body_text(response->body);
  if (response->status != 200) co_return base::fail(Code::invalid, std::move(text));
  co_return text;
}

// Runs one task on a loop of its own: commands have nothing else to do.
template <class T>
Result<T> run_alone(boost::asio::io_context& io, Task<Result<T>> task) {
  Result<T> outcome = base::fail(Code::cancelled, "interrupted");
  auto keep = [](Task<Result<T>> inner, Result<T>& into) -> Task<> {
    into = co_await std::move(inner);
  };
  base::TaskGroup group(io.get_executor());
  group.spawn("command", keep(std::move(task), outcome));
  io.run();
  return outcome;
}

Result<std::string> ask_node(const NodeAddress& node, http::Request request) {
  boost::asio::io_context io;
  const auto clock = base::make_os_clock();
  const http::Endpoint endpoint{
      .host = {}, .port = 0, .unix_path = ServerPaths(node.data_dir).node_socket().string()};
  return run_alone(io, ask(*clock, endpoint, std::move(request)));
}

// Opens the store of a node that does not run.
template <class Use>
Result<std::vector<ImageLine>> with_store(const NodeAddress& node, Use use) {
  boost::asio::io_context io;
  const auto files = base::make_os_files();
  base::BlockingPool pool("images", 2);
  images::DiskImageStoreOptions options;
  options.root = ServerPaths(node.data_dir).image_store();
  if (auto made = files->make_directories(options.root, 0700); !made) {
    return base::fail(std::move(made).error());
  }
  auto store = images::open_image_store(io.get_executor(), *files, pool, options);
  if (!store) return base::fail(std::move(store).error());
  auto found = use(io, **store);
  if (!found) return base::fail(std::move(found).error());
  return from_json(json::serialize(to_json(*found)));
}

}  // namespace

NodeCommands::NodeCommands(images::ImageStore& images, std::function<void()> images_changed)
    : images_(images), images_changed_(std::move(images_changed)) {}

Task<http::Response> NodeCommands::import(const std::string& archive, const std::string& name) {
  auto imported = co_await images_.import(archive, name);
  if (!imported) co_return refusal(imported.error());
  images_changed_();
  co_return answer(*imported);
}

Task<http::Response> NodeCommands::handle(http::Request& request) {
  const auto query = http::Query::parse(request.query());
  if (!query) co_return refusal(query.error());
  if (request.path() == "/images" && request.method == http::Method::get) {
    co_return answer(images_.list());
  }
  if (request.path() == "/images/import" && request.method == http::Method::post) {
    const std::string archive(query->get("archive"));
    const std::string name(query->get("name"));
    co_return co_await import(archive, name);
  }
  co_return http::Response::text(404, "no such command");
}

Result<std::vector<ImageLine>> import_image(const NodeAddress& node, const base::Path& archive,
                                            const std::string& name) {
  std::error_code error;
  const base::Path absolute = std::filesystem::absolute(archive, error);
  http::Query query;
  query.add("archive", absolute.string());
  if (!name.empty()) query.add("name", name);
  http::Request request;
  request.method = http::Method::post;
  request.target = "/images/import?" + query.to_string();
  auto text = ask_node(node, std::move(request));
  if (text) return from_json(*text);
  if (text.error().code != Code::unavailable) return base::fail(std::move(text).error());
  return with_store(node, [&](boost::asio::io_context& io, images::ImageStore& store) {
    return run_alone(io, store.import(absolute, name));
  });
}

Result<std::vector<ImageLine>> list_images(const NodeAddress& node) {
  http::Request request;
  request.target = "/images";
  auto text = ask_node(node, std::move(request));
  if (text) return from_json(*text);
  if (text.error().code != Code::unavailable) return base::fail(std::move(text).error());
  return with_store(node, [](boost::asio::io_context&, images::ImageStore& store) {
    return Result<std::vector<images::Image>>(store.list());
  });
}

}  // namespace koi::node
