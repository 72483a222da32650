#include "controllers/node_ipam.h"

#include <utility>

#include "client/object_key.h"
#include "controllers/kinds.h"

namespace koi::controllers {

namespace {

std::vector<std::string> ranges_of(const api::Object& node) {
  std::vector<std::string> ranges;
  for (const auto& each : json::array_at(node.value(), {"spec", "podCIDRs"})) {
    ranges.emplace_back(json::string_at(each, {}));
  }
  const auto single = json::string_at(node.value(), {"spec", "podCIDR"});
  if (ranges.empty() && !single.empty()) ranges.emplace_back(single);
  return ranges;
}

}  // namespace

NodeIpam::NodeIpam(Context context, std::vector<CidrPool> pools)
    : context_(context),
      pools_(std::move(pools)),
      nodes_(context.informers.informer(kinds::nodes)),
      events_(context.client, context.clock, context.random, context.tasks, "cidrAllocator"),
      // One worker: ranges are handed out in the order in which nodes came.
      queue_(context.tasks, context.clock, {.name = "node-ipam"}) {
  nodes_.add_listener([this](const api::ObjectPtr& before, const api::ObjectPtr& after) {
    on_node(before, after);
  });
}

void NodeIpam::start() {
  queue_.start([this](std::string name) { return reconcile(std::move(name)); });
}

void NodeIpam::on_node(const api::ObjectPtr& before, const api::ObjectPtr& after) {
  if (after == nullptr) {
    release(ranges_of(*before));
    for (const auto& node : nodes_.list()) {
      if (ranges_of(*node).empty()) queue_.add(std::string(node->name()));
    }
    return;
  }
  const auto ranges = ranges_of(*after);
  for (const auto& range : ranges) {
    for (auto& pool : pools_) pool.occupy(range);
  }
  if (ranges.empty()) queue_.add(std::string(after->name()));
}

base::Result<std::vector<std::string>> NodeIpam::take() {
  std::vector<std::string> ranges;
  for (auto& pool : pools_) {
    auto range = pool.take();
    if (!range) {
      release(ranges);
      return base::fail(std::move(range).error());
    }
    ranges.push_back(std::move(*range));
  }
  return ranges;
}

void NodeIpam::release(const std::vector<std::string>& ranges) {
  for (const auto& range : ranges) {
    for (auto& pool : pools_) pool.release(range);
  }
}

base::Task<base::Result<>> NodeIpam::reconcile(std::string name) {
  // Until all nodes are known, a range may look free that is not.
  co_await nodes_.wait_synced();
  const auto node = nodes_.find(name);
  if (node == nullptr || node->is_terminating() || !ranges_of(*node).empty()) {
    co_return base::Result<>();
  }
  auto ranges = take();
  if (!ranges) {
    events_.record(*node, client::EventType::normal, "CIDRNotAvailable",
                   "Node " + name + " status is now: CIDRNotAvailable");
    // A node that goes makes room.
    co_return base::Result<>();
  }
  json::Array list;
  for (const auto& range : *ranges) list.push_back(client::text(range));
  json::Value patch = json::Object();
  json::set(patch, {"metadata", "uid"}, client::text(node->uid()));
  json::set(patch, {"metadata", "resourceVersion"}, client::text(node->resource_version()));
  json::set(patch, {"spec", "podCIDR"}, client::text(ranges->front()));
  json::set(patch, {"spec", "podCIDRs"}, std::move(list));
  const auto ref = client::ref_of(kinds::nodes, *node);
  const auto written =
      co_await context_.client.patch(ref, client::PatchType::merge, std::move(patch));
  if (written) {
    nodes_.absorb(*written);
    co_return base::Result<>();
  }
  release(*ranges);
  if (written.error().code == base::Code::not_found) co_return base::Result<>();
  co_return base::fail(written.error());
}

}  // namespace koi::controllers
