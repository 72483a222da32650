#include <algorithm>
#include <initializer_list>
#include <string>

#include "api/base64.h"
#include "api/default_hooks.h"
#include "api/quantity.h"

namespace koi::api {

namespace {

using json::Array;
using json::Object;
using json::Value;

// Whether a pull may bring something new each time: the tag is "latest", said or implied.
bool floats(std::string_view image) {
  if (image.empty() || image.find('@') != std::string_view::npos) return false;
  const auto slash = image.rfind('/');
  const auto name = slash == std::string_view::npos ? image : image.substr(slash + 1);
  const auto colon = name.find(':');
  return colon == std::string_view::npos || name.substr(colon + 1) == "latest";
}

void container(Object& object) {
  set_missing(object, "imagePullPolicy",
              floats(text_member(object, "image")) ? "Always" : "IfNotPresent");
}

void image_volume(Object& object) {
  set_missing(object, "pullPolicy",
              floats(text_member(object, "reference")) ? "Always" : "IfNotPresent");
}

void volume(Object& object) {
  const bool has_source = object.size() > (has(object, "name") ? 1U : 0U);
  if (!has_source) object["emptyDir"].emplace_object();
}

// The deprecated name of the service account always mirrors the current one.
void pod_spec(Object& object) {
  const std::string name(text_member(object, "serviceAccountName"));
  const std::string old_name(text_member(object, "serviceAccount"));
  if (!name.empty()) {
    object["serviceAccount"] = name;
  } else if (!old_name.empty()) {
    object["serviceAccountName"] = old_name;
  }
}

void requests_from_limits(Object& container) {
  auto* resources = object_member(container, "resources");
  const auto* limits = resources != nullptr ? object_member(*resources, "limits") : nullptr;
  if (limits == nullptr) return;
  const Object source = *limits;
  auto& requests = (*resources)["requests"];
  copy_missing(source, requests.is_object() ? requests.get_object() : requests.emplace_object());
}

void host_ports(Object& container) {
  auto* ports = array_member(container, "ports");
  if (ports == nullptr) return;
  for (auto& port : *ports) {
    auto* object = port.if_object();
    if (object != nullptr && has(*object, "containerPort") && !has(*object, "hostPort")) {
      const Value number = object->at("containerPort");
      (*object)["hostPort"] = number;
    }
  }
}

bool is_pod_level_resource(std::string_view name) {
  return name == "cpu" || name == "memory" || name.starts_with("hugepages-");
}

// What the containers of a list ask for together, or (`largest`) the most that one of them does.
void add_requests(const Value& spec, std::string_view list, bool sidecars, bool largest,
                  Object& sums) {
  for (const auto& container : json::array_at(spec, {list})) {
    const bool is_sidecar = json::string_at(container, {"restartPolicy"}) == "Always";
    if (list == "initContainers" && is_sidecar != sidecars) continue;
    for (const auto& request : json::object_at(container, {"resources", "requests"})) {
      const auto* text = request.value().if_string();
      const auto amount =
          Quantity::parse(text != nullptr ? std::string_view(text->data(), text->size()) : "0");
      if (!amount) continue;
      auto& sum = sums[request.key()];
      auto so_far = Quantity::parse(sum.is_string() ? std::string(sum.get_string()) : "0");
      const Quantity before = so_far.value_or(Quantity());
      sum = (largest ? std::max(before, *amount) : before + *amount).str();
    }
  }
}

// Pod-level requests follow what the containers ask for, then the pod-level limits.
void pod_level_requests(Object& pod, Object& spec) {
  auto* resources = object_member(spec, "resources");
  const auto* limits = resources != nullptr ? object_member(*resources, "limits") : nullptr;
  if (limits == nullptr || limits->empty()) return;
  Object sums;
  const Value& whole = pod.at("spec");
  add_requests(whole, "containers", false, false, sums);
  add_requests(whole, "initContainers", true, false, sums);
  add_requests(whole, "initContainers", false, true, sums);
  Object wanted;
  for (const auto& sum : sums) {
    if (sum.key() == "cpu" || sum.key() == "memory") wanted.emplace(sum.key(), sum.value());
  }
  for (const auto& limit : *limits) {
    const std::string_view name(limit.key().data(), limit.key().size());
    if (is_pod_level_resource(name) && !wanted.contains(name)) wanted.emplace(name, limit.value());
  }
  if (wanted.empty()) return;
  auto& requests = (*resources)["requests"];
  copy_missing(wanted, requests.is_object() ? requests.get_object() : requests.emplace_object());
}

void pod(Object& object) {
  auto* spec = object_member(object, "spec");
  if (spec == nullptr) return;
  const bool host_network = has(*spec, "hostNetwork") && spec->at("hostNetwork") == true;
  for (const std::string_view list : {"containers", "initContainers"}) {
    auto* containers = array_member(*spec, list);
    if (containers == nullptr) continue;
    for (auto& item : *containers) {
      auto* container = item.if_object();
      if (container == nullptr) continue;
      requests_from_limits(*container);
      if (host_network) host_ports(*container);
    }
  }
  pod_level_requests(object, *spec);
  set_missing(*spec, "enableServiceLinks", true);
}

constexpr DefaultHook hooks[] = {
    {"core.v1.Pod", pod},
    {"core.v1.PodSpec", pod_spec},
    {"core.v1.Container", container},
    {"core.v1.EphemeralContainer", container},
    {"core.v1.Volume", volume},
    {"core.v1.ImageVolumeSource", image_volume},
};

}  // namespace

std::span<const DefaultHook> pod_default_hooks() { return hooks; }

}  // namespace koi::api
