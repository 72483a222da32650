#include "agent/pod_view.h"

namespace koi::agent {

namespace {

RestartPolicy policy_named(std::string_view name, RestartPolicy otherwise) {
  if (name == "Always") return RestartPolicy::always;
  if (name == "OnFailure") return RestartPolicy::on_failure;
  if (name == "Never") return RestartPolicy::never;
  return otherwise;
}

ContainerView view_container(const json::Value& spec, bool init, RestartPolicy pod_policy) {
  ContainerView view;
  view.name = json::string_at(spec, {"name"});
  view.image = json::string_at(spec, {"image"});
  view.spec = &spec;
  const auto own_policy = json::string_at(spec, {"restartPolicy"});
  view.restart_policy = policy_named(own_policy, pod_policy);
  if (!init) return view;
  view.kind = own_policy == "Always" ? ContainerKind::sidecar : ContainerKind::init;
  // An init container that failed is tried again until it succeeds, unless the pod says never.
  if (view.kind == ContainerKind::init && view.restart_policy == RestartPolicy::always) {
    view.restart_policy = RestartPolicy::on_failure;
  }
  return view;
}

}  // namespace

const ContainerView* PodView::find_container(std::string_view container_name) const {
  for (const auto& container : containers) {
    if (container.name == container_name) return &container;
  }
  return nullptr;
}

PodView view_pod(api::ObjectPtr object) {
  PodView view;
  view.object = std::move(object);
  const auto& pod = view.object->value();
  view.uid = view.object->uid();
  view.name = view.object->name();
  view.name_space = view.object->name_space();
  view.restart_policy =
      policy_named(json::string_at(pod, {"spec", "restartPolicy"}), RestartPolicy::always);
  view.host_network = json::bool_at(pod, {"spec", "hostNetwork"});
  view.deleted = view.object->is_terminating();
  const auto grace = json::int_at(pod, {"spec", "terminationGracePeriodSeconds"}, 30);
  view.deletion_grace_seconds =
      json::int_at(pod, {"metadata", "deletionGracePeriodSeconds"}, grace);
  view.active_deadline_seconds = json::int_at(pod, {"spec", "activeDeadlineSeconds"});
  if (const auto start = base::parse_time(json::string_at(pod, {"status", "startTime"}))) {
    view.start_time = *start;
  }
  for (const auto& spec : json::array_at(pod, {"spec", "initContainers"})) {
    view.containers.push_back(view_container(spec, true, view.restart_policy));
  }
  for (const auto& spec : json::array_at(pod, {"spec", "containers"})) {
    view.containers.push_back(view_container(spec, false, view.restart_policy));
  }
  return view;
}

bool is_terminal_phase(std::string_view phase) { return phase == "Succeeded" || phase == "Failed"; }

bool should_restart(RestartPolicy policy, int exit_code) {
  return policy == RestartPolicy::always || (policy == RestartPolicy::on_failure && exit_code != 0);
}

}  // namespace koi::agent
