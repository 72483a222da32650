#include <doctest/doctest.h>

#include "auth/authenticator.h"
#include "auth/authorizer.h"
#include "auth/bootstrap_policy.h"
#include "auth/node_authorizer.h"
#include "auth/rbac.h"
#include "testing/sim_clock.h"
#include "testing/sim_random.h"

using namespace koi;
using namespace koi::auth;

namespace {

api::ObjectPtr object(std::string_view text) { return api::make_object(*json::parse(text)); }

std::shared_ptr<const RbacSnapshot> bootstrap_snapshot() {
  RbacSnapshot::Sources sources;
  for (auto& item : bootstrap_policy()) {
    auto made = api::make_object(std::move(item.object));
    if (item.plural == "clusterroles") sources.cluster_roles.push_back(made);
    if (item.plural == "clusterrolebindings") sources.cluster_role_bindings.push_back(made);
  }
  return std::make_shared<const RbacSnapshot>(sources);
}

}  // namespace

TEST_CASE("rules match groups, resources, subresources and names") {
  const PolicyRule rule{.verbs = {"get", "list"},
                        .groups = {"", "apps"},
                        .resources = {"pods", "deployments/scale", "*/status"},
                        .names = {}};
  CHECK(rule.allows({.verb = "get", .resource = "pods"}));
  CHECK_FALSE(rule.allows({.verb = "delete", .resource = "pods"}));
  CHECK_FALSE(rule.allows({.verb = "get", .resource = "pods", .subresource = "log"}));
  CHECK(rule.allows({.verb = "get", .group = "apps", .resource = "x", .subresource = "status"}));
  CHECK_FALSE(rule.allows({.verb = "get", .group = "batch", .resource = "pods"}));
  const PolicyRule one{.verbs = {"*"}, .groups = {""}, .resources = {"secrets"}, .names = {"a"}};
  CHECK(one.allows({.verb = "get", .resource = "secrets", .name = "a"}));
  CHECK_FALSE(one.allows({.verb = "get", .resource = "secrets", .name = "b"}));
  CHECK_FALSE(one.allows({.verb = "list", .resource = "secrets"}));
  const PolicyRule paths{.verbs = {"get"}, .paths = {"/healthz", "/apis/*"}};
  CHECK(paths.allows({.verb = "get", .path = "/apis/apps"}));
  CHECK_FALSE(paths.allows({.verb = "get", .path = "/metrics"}));
}

TEST_CASE("bindings reach users, groups and service accounts, in their namespace") {
  RbacSnapshot::Sources sources;
  sources.roles.push_back(object(
      R"({"metadata":{"name":"r","namespace":"a"},"rules":[{"apiGroups":[""],
      "resources":["pods"],"verbs":["get"]}]})"));
  sources.role_bindings.push_back(object(
      R"({"metadata":{"name":"b","namespace":"a"},"roleRef":{"kind":"Role","name":"r"},
      "subjects":[{"kind":"User","name":"u"},{"kind":"ServiceAccount","name":"s"},
      {"kind":"Group","name":"g"}]})"));
  const RbacSnapshot snapshot(sources);
  const Access access{.verb = "get", .resource = "pods", .name_space = "a", .name = "x"};
  CHECK(snapshot.allows({.name = "u"}, access));
  CHECK(snapshot.allows(service_account_identity("a", "s", ""), access));
  CHECK(snapshot.allows({.name = "z", .groups = {"g"}}, access));
  CHECK_FALSE(snapshot.allows({.name = "z"}, access));
  Access elsewhere = access;
  elsewhere.name_space = "b";
  CHECK_FALSE(snapshot.allows({.name = "u"}, elsewhere));
  elsewhere.name_space = "";
  CHECK_FALSE(snapshot.allows({.name = "u"}, elsewhere));
}

TEST_CASE("the first roles let each do its work and no more") {
  const auto snapshot = bootstrap_snapshot();
  const Identity scheduler{.name = "system:kube-scheduler", .groups = {"system:authenticated"}};
  CHECK(snapshot->allows(scheduler, {.verb = "create",
                                     .resource = "pods",
                                     .subresource = "binding",
                                     .name_space = "x",
                                     .name = "p"}));
  CHECK_FALSE(snapshot->allows(scheduler, {.verb = "get", .resource = "secrets"}));
  CHECK(snapshot->allows(anonymous_identity(), {.verb = "get", .path = "/version"}));
  CHECK_FALSE(snapshot->allows(anonymous_identity(), {.verb = "get", .path = "/api"}));
  const auto admin = snapshot->role("ClusterRole", "", "admin");
  REQUIRE(admin);
  const auto view = snapshot->role("ClusterRole", "", "view");
  REQUIRE(view);
  CHECK(rules_not_covered(*admin, *view).empty());
  CHECK_FALSE(rules_not_covered(*view, *admin).empty());
  const bool view_reads_secrets = std::ranges::any_of(*view, [](const PolicyRule& rule) {
    return rule.allows({.verb = "get", .resource = "secrets"});
  });
  CHECK_FALSE(view_reads_secrets);
}

TEST_CASE("what is not held is named") {
  const PolicyRules held{{.verbs = {"get"}, .groups = {""}, .resources = {"pods"}}};
  const PolicyRules wanted{
      {.verbs = {"get", "list", "delete"}, .groups = {""}, .resources = {"pods"}}};
  const PolicyRules missing = rules_not_covered(held, wanted);
  REQUIRE(missing.size() == 1);
  CHECK(missing[0].str() == R"({APIGroups:[""], Resources:["pods"], Verbs:["list", "delete"]})");
}

TEST_CASE("an agent writes only what is its node's") {
  Authorizer authorizer;
  const Identity agent{.name = "system:node:n1", .groups = {"system:nodes"}};
  const auto may = [&](const Access& access) { return authorizer.decide(agent, access).allowed; };
  CHECK(may({.verb = "patch", .resource = "nodes", .subresource = "status", .name = "n1"}));
  CHECK_FALSE(may({.verb = "patch", .resource = "nodes", .subresource = "status", .name = "n2"}));
  CHECK(may({.verb = "update",
             .group = "coordination.k8s.io",
             .resource = "leases",
             .name_space = "kube-node-lease",
             .name = "n1"}));
  CHECK_FALSE(may({.verb = "delete", .resource = "nodes", .name = "n1"}));
  CHECK_FALSE(may({.verb = "create", .resource = "secrets"}));
  CHECK_FALSE(node_of({.name = "system:node:n1"}));
}

TEST_CASE("token files are read line by line") {
  const auto good = parse_token_file("# admins\n0123456789abcdef,root,1,\"system:masters,b\"\n\n");
  REQUIRE(good);
  REQUIRE(good->size() == 1);
  CHECK(good->front().identity.name == "root");
  CHECK(good->front().identity.groups.size() == 2);
  const auto bad = parse_token_file("0123456789abcdef,root\nshort,x\n");
  REQUIRE_FALSE(bad);
  CHECK(bad.error().message.starts_with("line 2:"));
}

TEST_CASE("tokens of service accounts expire, are for someone, and die with their pod") {
  testing::SimClock clock(*base::parse_time("2026-01-02T03:04:05Z"));
  testing::SimRandom random(3);
  bool pod_lives = true;
  const auto lookup = [&](std::string_view plural, std::string_view,
                          std::string_view) -> api::ObjectPtr {
    if (plural == "pods") {
      return pod_lives ? object(R"({"metadata":{"name":"p","uid":"2"}})") : nullptr;
    }
    return object(R"({"metadata":{"name":"s","uid":"1"}})");
  };
  const auto key = crypto::PrivateKey::generate(random);
  REQUIRE(key);
  const auto tokens = ServiceAccountTokens::create(*key, clock, random, lookup, {});
  REQUIRE(tokens);
  const TokenSubject subject{
      .name_space = "a", .account = "s", .account_uid = "1", .bound = {"Pod", "p", "2"}};
  const auto issued = (*tokens)->issue(subject, {}, std::chrono::minutes(10));
  REQUIRE(issued);
  const Authenticator authenticator({}, *tokens);
  const Credentials credentials{.authorization = "bearer " + issued->token};
  const auto identity = authenticator.authenticate(credentials);
  REQUIRE(identity);
  CHECK(identity->name == "system:serviceaccount:a:s");
  CHECK(identity->extra.at("authentication.kubernetes.io/pod-name").front() == "p");
  CHECK_FALSE((*tokens)->verify(issued->token, {"vault"}));
  std::string forged = issued->token;
  forged[forged.size() / 2] = forged[forged.size() / 2] == 'A' ? 'B' : 'A';
  CHECK_FALSE((*tokens)->verify(forged, {}));
  pod_lives = false;
  CHECK_FALSE(authenticator.authenticate(credentials));
  pod_lives = true;
  CHECK(authenticator.authenticate(credentials));
  clock.set_wall(clock.wall_now() + std::chrono::minutes(11));
  const auto late = authenticator.authenticate(credentials);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == base::Code::unauthorized);
}

TEST_CASE("what a connection shows decides who it is") {
  const Authenticator authenticator(
      {{"admin-token-0123456789", {.name = "admin", .groups = {"system:masters"}}}}, nullptr);
  CHECK(authenticator.authenticate({})->name == "system:anonymous");
  CHECK(authenticator.authenticate({.common_name = "bob", .organizations = {"ops"}})
            ->in_group("system:authenticated"));
  CHECK_FALSE(authenticator.authenticate({.certificate_error = "expired"}));
  CHECK(
      authenticator.authenticate({.authorization = "Bearer admin-token-0123456789"})->is_master());
  CHECK_FALSE(authenticator.authenticate({.authorization = "Bearer nonsense"}));
  CHECK_FALSE(authenticator.authenticate({.authorization = "Basic YTpi"}));
}
