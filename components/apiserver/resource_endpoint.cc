#include "apiserver/resource_endpoint.h"

#include "apiserver/pod_log.h"
#include "apiserver/request_body.h"

namespace koi::apiserver {

namespace {

using api::StatusOr;

// Subresources that open a stream to the node.
bool is_stream(std::string_view subresource) {
  return subresource == "exec" || subresource == "attach" || subresource == "portforward" ||
         subresource == "proxy";
}

}  // namespace

StatusOr<Call> ResourceEndpoint::call(Exchange& exchange) const {
  const RequestTarget& target = exchange.target;
  const Catalog& catalog = doors_.service.operations().catalog();
  Call call{.user = exchange.user};
  call.resource = catalog.find(target.group, target.version, target.plural);
  const bool fits = call.resource != nullptr &&
                    (call.resource->namespaced() ? !target.name_space.empty() || target.name.empty()
                                                 : target.name_space.empty());
  if (!fits) return std::unexpected(api::no_such_path_status());
  call.name_space = target.name_space;
  call.name = target.name;
  call.subresource = target.subresource;
  call.warnings = &exchange.warnings;
  return call;
}

http::Response ResourceEndpoint::answer(const Exchange& exchange,
                                        const StatusOr<Written>& written) const {
  if (!written) return render_status(exchange.rendering, written.error());
  return render_object(exchange.rendering, schema(), doors_.clock.wall_now(), written->object,
                       written->created ? 201 : 200);
}

base::Task<http::Response> ResourceEndpoint::serve(Exchange& exchange) const {
  const std::string verb = verb_of(exchange.target, exchange.request, exchange.flag("watch"));
  auto made = call(exchange);
  if (!made) {
    // Who may not look is not told what there is.
    auto allowed = doors_.service.authorize(exchange.user, exchange.target.access(verb));
    co_return render_status(exchange.rendering, allowed ? made.error() : allowed.error());
  }
  if (verb.empty()) co_return render_status(exchange.rendering, api::method_not_allowed_status());
  if (is_stream(made->subresource)) {
    auto access = exchange.target.access("create");
    auto allowed = doors_.service.authorize(exchange.user, access);
    co_return render_status(
        exchange.rendering,
        allowed ? api::not_implemented_status("koi does not serve " + made->subresource +
                                              " yet; a later release will")
                : allowed.error());
  }
  if (verb == "get" && made->subresource == "log") {
    auto log = co_await serve_pod_log(doors_.service, exchange, *made, doors_.nodes);
    if (!log) co_return render_status(exchange.rendering, log.error());
    co_return std::move(*log);
  }
  if (verb == "watch") co_return watch(exchange, *made);
  if (verb == "get" || verb == "list") co_return read(exchange, *made, verb);
  auto options = read_write_options(exchange, *made);
  if (!options) co_return render_status(exchange.rendering, options.error());
  if (verb == "delete" || verb == "deletecollection") {
    const bool whole_collection = verb == "deletecollection";
    co_return co_await remove(exchange, std::move(*made), whole_collection);
  }
  co_return co_await write(exchange, std::move(*made), verb);
}

http::Response ResourceEndpoint::read(Exchange& exchange, const Call& call,
                                      const std::string& verb) const {
  if (verb == "get") {
    auto object = doors_.service.get(call);
    if (!object) return render_status(exchange.rendering, object.error());
    return render_object(exchange.rendering, schema(), doors_.clock.wall_now(), *object, 200);
  }
  const auto query = read_list_query(exchange);
  if (!query) return render_status(exchange.rendering, query.error());
  const auto listed = doors_.service.list(call, *query);
  if (!listed) return render_status(exchange.rendering, listed.error());
  return render_list(exchange.rendering, *call.resource, schema(), doors_.clock.wall_now(),
                     *listed);
}

http::Response ResourceEndpoint::watch(Exchange& exchange, const Call& given) const {
  auto query = read_watch_query(exchange);
  if (!query) return render_status(exchange.rendering, query.error());
  Call call = given;
  if (!call.name.empty()) {
    if (!query->field_selector.empty()) query->field_selector += ",";
    query->field_selector += "metadata.name=" + call.name;
    call.name.clear();
  }
  if (exchange.rendering.format == Format::yaml) {
    return render_status(exchange.rendering,
                         api::not_acceptable_status("application/json, "
                                                    "application/vnd.kubernetes.protobuf"));
  }
  auto stream = doors_.service.watch(call, *query);
  if (!stream) return render_status(exchange.rendering, stream.error());
  http::Response response;
  response.headers.set("Content-Type", watch_content_type(exchange.rendering));
  response.body =
      make_watch_body(exchange.rendering, schema(), doors_.clock, events_, std::move(*stream));
  return response;
}

base::Task<http::Response> ResourceEndpoint::write(Exchange& exchange, Call call,
                                                   std::string verb) const {
  if (verb == "patch") {
    const auto kind = patch_kind(exchange);
    if (!kind) co_return render_status(exchange.rendering, kind.error());
    auto patch = read_patch(exchange, call);
    if (!patch) co_return render_status(exchange.rendering, patch.error());
    co_return answer(exchange, co_await doors_.service.patch(call, *kind, std::move(*patch)));
  }
  const bool needs_namespace = call.resource->namespaced() && call.name_space.empty();
  const bool needs_name = verb == "update" && call.name.empty();
  const bool is_misplaced = verb == "create" && !call.name.empty() && call.subresource.empty();
  if (needs_namespace || needs_name || is_misplaced) {
    co_return render_status(exchange.rendering, api::method_not_allowed_status());
  }
  auto body = read_body_value(exchange, schema(), call);
  if (!body) co_return render_status(exchange.rendering, body.error());
  if (verb == "create") {
    co_return answer(exchange, co_await doors_.service.create(call, std::move(*body)));
  }
  co_return answer(exchange, co_await doors_.service.update(call, std::move(*body)));
}

base::Task<http::Response> ResourceEndpoint::remove(Exchange& exchange, Call call,
                                                    bool whole_collection) const {
  const auto query = read_delete_query(exchange, schema(), call);
  if (!query) co_return render_status(exchange.rendering, query.error());
  if (whole_collection) {
    auto selection = read_list_query(exchange);
    if (!selection) co_return render_status(exchange.rendering, selection.error());
    auto removed = co_await doors_.service.remove_collection(call, *selection, *query);
    if (!removed) co_return render_status(exchange.rendering, removed.error());
    co_return render_list(exchange.rendering, *call.resource, schema(), doors_.clock.wall_now(),
                          *removed);
  }
  auto removed = co_await doors_.service.remove(call, *query);
  if (!removed) co_return render_status(exchange.rendering, removed.error());
  if (removed->finished && !call.resource->returns_deleted) {
    co_return render_status(exchange.rendering,
                            api::success_status(call.about(), removed->object->uid()));
  }
  co_return render_object(exchange.rendering, schema(), doors_.clock.wall_now(), removed->object,
                          200);
}

}  // namespace koi::apiserver
