#include "apiserver/http_handler.h"

#include <doctest/doctest.h>

#include <fstream>

#include "api/protobuf.h"
#include "apiserver/api_server.h"
#include "apiserver/test_world.h"

using namespace koi;
using namespace koi::apiserver;
using testing_world::run_task;

namespace {

// A started server over a store in memory, spoken to through its handler.
struct Server {
  Server() {
    ApiServerOptions options;
    options.advertise_address = "10.0.0.1";
    options.token_key = *crypto::PrivateKey::generate(random);
    options.tokens = {
        {"admin-token-0123456789", {.name = "admin", .groups = {"system:masters"}}},
        {"alice-token-0123456789", {.name = "alice"}},
        {"node-token-0123456789", {.name = "system:node:n1", .groups = {"system:nodes"}}}};
    auto made = ApiServer::create({io.get_executor(), memory.store(), clock, random, nullptr},
                                  std::move(options));
    REQUIRE(made);
    server = std::move(*made);
    const auto started = run_task(io, clock, server->start());
    REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().message));
  }
  ~Server() {
    auto stop = [](Server& self) -> base::Task<bool> {
      co_await self.server->stop();
      co_await self.memory.stop();
      co_return true;
    };
    run_task(io, clock, stop(*this));
  }

  struct Answer {
    int code = 0;
    http::Headers headers;
    std::string text;
    json::Value value;
  };

  http::Response send(http::Method method, std::string target, std::string body = "",
                      std::vector<std::pair<std::string, std::string>> headers = {}) {
    http::Request request;
    request.method = method;
    request.target = std::move(target);
    request.body = std::move(body);
    request.peer = std::make_shared<const http::Peer>();
    request.headers.set("Authorization", "Bearer " + token);
    for (const auto& [name, value] : headers) request.headers.set(name, value);
    if (token.empty()) request.headers.remove("Authorization");
    return run_task(io, clock, server->handler().handle(request));
  }
  Answer ask(http::Method method, std::string target, std::string body = "",
             std::vector<std::pair<std::string, std::string>> headers = {}) {
    const http::Response response =
        send(method, std::move(target), std::move(body), std::move(headers));
    Answer answer{response.status, response.headers, http::body_text(response.body), {}};
    if (auto value = json::parse(answer.text)) answer.value = std::move(*value);
    // The tasks that follow roles catch up.
    testing::run_ready(io);
    return answer;
  }
  Answer get(std::string target) { return ask(http::Method::get, std::move(target)); }
  Answer post(std::string target, std::string body) {
    return ask(http::Method::post, std::move(target), std::move(body));
  }

  boost::asio::io_context io;
  testing::SimClock clock{testing_world::start_time()};
  testing::SimRandom random{7};
  datastore::MemoryStore memory{clock, io.get_executor()};
  std::unique_ptr<ApiServer> server;
  std::string token = "admin-token-0123456789";
};

constexpr const char* config_maps = "/api/v1/namespaces/default/configmaps";

std::string message_of(const Server::Answer& answer) {
  return std::string(json::string_at(answer.value, {"message"}));
}

}  // namespace

TEST_CASE("a new server has what every cluster begins with") {
  Server server;
  CHECK(server.get("/api/v1/namespaces/kube-system").code == 200);
  const auto service = server.get("/api/v1/namespaces/default/services/kubernetes");
  CHECK(json::string_at(service.value, {"spec", "clusterIP"}) == "10.43.0.1");
  CHECK(server.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes").code ==
        200);
  CHECK(server.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin").code == 200);
  CHECK(server.get("/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical").code == 200);
}

TEST_CASE("health needs no credentials") {
  Server server;
  server.token = "";
  CHECK(server.get("/healthz").text == "ok");
  const auto ready = server.get("/readyz?verbose");
  CHECK(ready.code == 200);
  CHECK(ready.text.find("[+]ping ok") != std::string::npos);
  CHECK(server.get("/readyz/ping").code == 200);
  CHECK(server.get("/readyz/nonsense").code == 404);
  CHECK(server.get("/version").code == 200);
}

TEST_CASE("objects come and go over HTTP") {
  Server server;
  const auto made = server.post(config_maps, R"({"metadata":{"name":"a"},"data":{"k":"v"}})");
  REQUIRE(made.code == 201);
  CHECK(json::string_at(made.value, {"kind"}) == "ConfigMap");
  CHECK(server.post(config_maps, R"({"metadata":{"name":"a"}})").code == 409);
  const auto again = server.post(config_maps, R"({"metadata":{"name":"a"}})");
  CHECK(message_of(again) == R"(configmaps "a" already exists)");
  const auto list = server.get(config_maps);
  CHECK(json::string_at(list.value, {"kind"}) == "ConfigMapList");
  CHECK(json::array_at(list.value, {"items"}).size() == 1);
  const auto gone = server.ask(http::Method::delete_, std::string(config_maps) + "/a");
  CHECK(gone.code == 200);
  CHECK(json::string_at(gone.value, {"status"}) == "Success");
  const auto missing = server.get(std::string(config_maps) + "/a");
  CHECK(missing.code == 404);
  CHECK(json::string_at(missing.value, {"reason"}) == "NotFound");
}

TEST_CASE("bad requests get upstream's answers") {
  Server server;
  CHECK(server.post(config_maps, "{nonsense").code == 400);
  CHECK(server.post("/api/v1/namespaces/nowhere/configmaps", R"({"metadata":{"name":"a"}})").code ==
        404);
  CHECK(message_of(
            server.post("/api/v1/namespaces/nowhere/configmaps", R"({"metadata":{"name":"a"}})")) ==
        R"(namespaces "nowhere" not found)");
  CHECK(server.post(config_maps, R"({"metadata":{}})").code == 422);
  CHECK(server.get("/api/v1/nonsense").code == 404);
  CHECK(server.get("/nonsense").code == 404);
  CHECK(server
            .ask(http::Method::post, config_maps, R"({"metadata":{"name":"a"}})",
                 {{"Content-Type", "text/plain"}})
            .code == 415);
  CHECK(server.ask(http::Method::get, config_maps, "", {{"Accept", "image/png"}}).code == 406);
  const auto strict = server.post(std::string(config_maps) + "?fieldValidation=Strict",
                                  R"({"metadata":{"name":"a"},"nonsense":1})");
  CHECK(strict.code == 400);
  CHECK(message_of(strict).find("strict decoding error: unknown field \"nonsense\"") !=
        std::string::npos);
  const auto warned = server.post(std::string(config_maps) + "?fieldValidation=Warn",
                                  R"({"metadata":{"name":"a"},"nonsense":1})");
  CHECK(warned.code == 201);
  CHECK(warned.headers.get("Warning") == R"(299 - "unknown field \"nonsense\"")");
}

TEST_CASE("writes carry revisions") {
  Server server;
  const auto made = server.post(config_maps, R"({"metadata":{"name":"a"},"data":{"k":"1"}})");
  const std::string one = std::string(config_maps) + "/a";
  json::Value changed = made.value;
  json::set(changed, {"data", "k"}, "2");
  CHECK(server.ask(http::Method::put, one, json::serialize(changed)).code == 200);
  const auto stale = server.ask(http::Method::put, one, json::serialize(changed));
  CHECK(stale.code == 409);
  CHECK(json::string_at(stale.value, {"reason"}) == "Conflict");
  const auto merged = server.ask(http::Method::patch, one, R"({"data":{"x":"y"}})",
                                 {{"Content-Type", "application/merge-patch+json"}});
  CHECK(json::string_at(merged.value, {"data", "x"}) == "y");
  CHECK(json::string_at(merged.value, {"data", "k"}) == "2");
  const auto patched = server.ask(http::Method::patch, one, R"([{"op":"remove","path":"/data/x"}])",
                                  {{"Content-Type", "application/json-patch+json"}});
  CHECK(json::string_at(patched.value, {"data", "x"}) == "");
  const auto failed = server.ask(http::Method::patch, one, R"([{"op":"remove","path":"/data/q"}])",
                                 {{"Content-Type", "application/json-patch+json"}});
  CHECK(failed.code == 422);
  const auto applied = server.ask(http::Method::patch, one, "{}",
                                  {{"Content-Type", "application/apply-patch+yaml"}});
  CHECK(applied.code == 415);
  const auto dry = server.ask(http::Method::patch, one + "?dryRun=All", R"({"data":{"k":"9"}})",
                              {{"Content-Type", "application/merge-patch+json"}});
  CHECK(json::string_at(dry.value, {"data", "k"}) == "9");
  CHECK(json::string_at(server.get(one).value, {"data", "k"}) == "2");
}

TEST_CASE("discovery speaks both dialects") {
  Server server;
  CHECK(json::string_at(server.get("/api").value, {"kind"}) == "APIVersions");
  CHECK(json::string_at(server.get("/apis/").value, {"kind"}) == "APIGroupList");
  CHECK(json::string_at(server.get("/api/v1").value, {"kind"}) == "APIResourceList");
  CHECK(json::string_at(server.get("/apis/apps").value, {"kind"}) == "APIGroup");
  const std::vector<std::pair<std::string, std::string>> aggregated{
      {"Accept",
       "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}};
  const auto v2 = server.ask(http::Method::get, "/apis", "", aggregated);
  CHECK(json::string_at(v2.value, {"kind"}) == "APIGroupDiscoveryList");
  CHECK(v2.headers.get("Content-Type").find("as=APIGroupDiscoveryList") != std::string::npos);
  CHECK(v2.headers.get("Vary") == "Accept");
  auto conditional = aggregated;
  conditional.emplace_back("If-None-Match", v2.headers.get("ETag"));
  CHECK(server.ask(http::Method::get, "/apis", "", conditional).code == 304);
  CHECK(server.get("/openapi/v3").code == 200);
  CHECK(server.get("/openapi/v3/apis/apps/v1").code == 200);
  CHECK(server.get("/openapi/v2").code == 200);
}

TEST_CASE("tables, metadata and YAML are other views of the same objects") {
  Server server;
  server.post(config_maps, R"({"metadata":{"name":"a"},"data":{"k":"v"}})");
  const auto table =
      server.ask(http::Method::get, config_maps, "",
                 {{"Accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}});
  CHECK(json::string_at(table.value, {"kind"}) == "Table");
  CHECK(json::array_at(table.value, {"rows"}).size() == 1);
  const auto partial =
      server.ask(http::Method::get, config_maps, "",
                 {{"Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}});
  CHECK(json::string_at(partial.value, {"kind"}) == "PartialObjectMetadataList");
  const auto yaml = server.ask(http::Method::get, std::string(config_maps) + "/a", "",
                               {{"Accept", "application/yaml"}});
  CHECK(yaml.text.find("kind: ConfigMap") != std::string::npos);
  const auto proto = server.ask(http::Method::get, config_maps, "",
                                {{"Accept", "application/vnd.kubernetes.protobuf"}});
  CHECK(proto.text.starts_with(std::string_view("k8s\0", 4)));
}

TEST_CASE("roles decide for everybody but the masters") {
  Server server;
  server.token = "alice-token-0123456789";
  const auto refused = server.get(config_maps);
  CHECK(refused.code == 403);
  CHECK(message_of(refused) == R"(configmaps is forbidden: User "alice" cannot list resource )"
                               R"("configmaps" in API group "" in the namespace "default")");
  CHECK(server.get("/api").code == 200);
  server.token = "admin-token-0123456789";
  const std::string roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/";
  CHECK(server
            .post(roles + "rolebindings",
                  R"({"metadata":{"name":"alice"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io",
                  "kind":"ClusterRole","name":"admin"},"subjects":[{"kind":"User",
                  "apiGroup":"rbac.authorization.k8s.io","name":"alice"}]})")
            .code == 201);
  server.token = "alice-token-0123456789";
  CHECK(server.get(config_maps).code == 200);
  CHECK(server.get("/api/v1/namespaces/kube-system/configmaps").code == 403);
  const auto escalated =
      server.post(roles + "roles",
                  R"({"metadata":{"name":"more"},"rules":[{"apiGroups":[""],"resources":["nodes"],
      "verbs":["get"]}]})");
  CHECK(escalated.code == 403);
  CHECK(message_of(escalated).find("is attempting to grant RBAC permissions not currently held") !=
        std::string::npos);
  const auto review =
      server.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                  R"({"spec":{"resourceAttributes":{"verb":"list","resource":"configmaps",
      "namespace":"default"}}})");
  CHECK(review.code == 201);
  CHECK(json::bool_at(review.value, {"status", "allowed"}));
  const auto impersonating =
      server.ask(http::Method::get, config_maps, "", {{"Impersonate-User", "system:admin"}});
  CHECK(impersonating.code == 403);
  server.token = "wrong-token-0123456789";
  CHECK(server.get(config_maps).code == 401);
}

TEST_CASE("a service account token is bound to its account") {
  Server server;
  const std::string accounts = "/api/v1/namespaces/default/serviceaccounts";
  REQUIRE(server.post(accounts, R"({"metadata":{"name":"robot"}})").code == 201);
  const auto request = server.post(accounts + "/robot/token", R"({"spec":{}})");
  REQUIRE(request.code == 201);
  server.token = json::string_at(request.value, {"status", "token"});
  const auto self = server.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
  CHECK(json::string_at(self.value, {"status", "userInfo", "username"}) ==
        "system:serviceaccount:default:robot");
  const std::string token = server.token;
  server.token = "admin-token-0123456789";
  CHECK(server.ask(http::Method::delete_, accounts + "/robot").code == 200);
  server.token = token;
  CHECK(server.get("/api").code == 401);
}

TEST_CASE("a watch streams what happens") {
  Server server;
  const auto first = server.post(config_maps, R"({"metadata":{"name":"a"}})");
  auto response =
      server.send(http::Method::get, std::string(config_maps) +
                                         "?watch=true&timeoutSeconds=5&allowWatchBookmarks=true");
  REQUIRE(response.status == 200);
  auto& stream = *std::get<std::unique_ptr<http::BodyStream>>(response.body);
  const auto read = [&]() -> std::string {
    auto next = run_task(server.io, server.clock, stream.next());
    REQUIRE(next);
    std::string text;
    if (!*next) return text;
    for (const auto& segment : **next) text += *segment;
    return text;
  };
  CHECK(read().starts_with(R"({"type":"ADDED","object":{"kind":"ConfigMap")"));
  server.ask(http::Method::delete_, std::string(config_maps) + "/a");
  CHECK(read().starts_with(R"({"type":"DELETED")"));
  CHECK(read().starts_with(R"({"type":"BOOKMARK")"));
  CHECK(read() == "");
}

TEST_CASE("events are the same in both of their groups") {
  Server server;
  const auto made =
      server.post("/apis/events.k8s.io/v1/namespaces/default/events",
                  R"({"metadata":{"name":"e"},"eventTime":"2026-01-02T03:04:05.000000Z",
      "reportingController":"koi.sh/test","reportingInstance":"x","action":"Try","reason":"Tried",
      "regarding":{"kind":"Pod","name":"p","namespace":"default"},"note":"hello",
      "type":"Normal"})");
  REQUIRE_MESSAGE(made.code == 201, made.text);
  CHECK(json::string_at(made.value, {"apiVersion"}) == "events.k8s.io/v1");
  const auto core = server.get("/api/v1/namespaces/default/events/e");
  CHECK(json::string_at(core.value, {"message"}) == "hello");
  CHECK(json::string_at(core.value, {"involvedObject", "name"}) == "p");
  const auto list = server.get("/apis/events.k8s.io/v1/namespaces/default/events");
  REQUIRE(json::array_at(list.value, {"items"}).size() == 1);
  CHECK(json::string_at(json::array_at(list.value, {"items"})[0], {"note"}) == "hello");
}

TEST_CASE("an agent cannot touch another node") {
  Server server;
  server.token = "node-token-0123456789";
  CHECK(server.post("/api/v1/nodes", R"({"metadata":{"name":"n1"}})").code == 201);
  const auto other = server.post("/api/v1/nodes", R"({"metadata":{"name":"n2"}})");
  CHECK(other.code == 403);
  CHECK(message_of(other) ==
        R"(nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2")");
}

TEST_CASE("events go an hour after they were last seen") {
  Server server;
  const std::string events = "/api/v1/namespaces/default/events";
  REQUIRE(server
              .post(events, R"({"metadata":{"name":"e"},"reason":"x","involvedObject":
      {"kind":"Pod","name":"p","namespace":"default"},"lastTimestamp":"2026-01-02T03:04:05Z"})")
              .code == 201);
  server.clock.advance(std::chrono::minutes(50));
  testing::run_ready(server.io);
  CHECK(server.get(events + "/e").code == 200);
  for (int i = 0; i < 5; ++i) {
    server.clock.advance(std::chrono::minutes(5));
    testing::run_ready(server.io);
  }
  CHECK(server.get(events + "/e").code == 404);
}

TEST_CASE("protobuf bodies are taken and given") {
  Server server;
  std::ifstream file(std::string(KOI_SHARED_DIR) + "/codec-vectors/core.v1.ConfigMap.pb",
                     std::ios::binary);
  if (!file) {
    MESSAGE("skipped: no codec vectors on this machine");
    return;
  }
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::vector<std::pair<std::string, std::string>> headers{
      {"Content-Type", "application/vnd.kubernetes.protobuf"},
      {"Accept", "application/vnd.kubernetes.protobuf,application/json"}};
  const auto refused = server.ask(http::Method::post, config_maps, bytes, headers);
  // Its namespace and resourceVersion are not ours.
  CHECK(refused.code == 400);
  CHECK(refused.text.starts_with(std::string_view("k8s\0", 4)));
  server.post(config_maps, R"({"metadata":{"name":"a"},"data":{"k":"v"}})");
  const auto got = server.ask(http::Method::get, std::string(config_maps) + "/a", "", headers);
  server.ask(http::Method::delete_, std::string(config_maps) + "/a");
  auto value = api::decode_protobuf(got.text, api::builtin_schema());
  REQUIRE(value);
  json::erase(*value, {"metadata", "resourceVersion"});
  auto again = api::encode_protobuf(*value, api::builtin_schema());
  REQUIRE(again);
  CHECK(server.ask(http::Method::post, config_maps, *again, headers).code == 201);
  CHECK(json::string_at(server.get(std::string(config_maps) + "/a").value, {"data", "k"}) == "v");
}

TEST_CASE("YAML bodies are taken") {
  Server server;
  const auto made =
      server.ask(http::Method::post, config_maps, "metadata:\n  name: a\ndata:\n  k: v\n",
                 {{"Content-Type", "application/yaml"}});
  CHECK(made.code == 201);
  CHECK(json::string_at(made.value, {"data", "k"}) == "v");
}

TEST_CASE("a start that is cancelled leaves nothing running, and the next one completes it") {
  boost::asio::io_context io;
  testing::SimClock clock{testing_world::start_time()};
  testing::SimRandom random{7};
  datastore::MemoryStore memory{clock, io.get_executor()};
  auto server = ApiServer::create({io.get_executor(), memory.store(), clock, random, nullptr}, {});
  REQUIRE(server);
  const auto start = [](ApiServer& self) -> base::Task<> { (void)co_await self.start(); };
  const auto finish = [](ApiServer& self, datastore::MemoryStore& store) -> base::Task<bool> {
    co_await self.stop();
    co_await store.stop();
    co_return true;
  };
  {
    base::TaskGroup tasks(io.get_executor());
    tasks.spawn("start", start(**server));
    for (int i = 0; i < 5; ++i) io.poll_one();
    tasks.cancel();
    testing::run_ready(io);
    CHECK(tasks.size() == 0);
  }
  CHECK(run_task(io, clock, (*server)->start()).has_value());
  CHECK(memory.store().count("/registry/core/namespaces/") == 4);
  run_task(io, clock, finish(**server, memory));
}
