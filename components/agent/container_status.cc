#include "agent/container_status.h"

#include "agent/pod_status.h"

namespace koi::agent {

namespace {

json::Value waiting_state(std::string_view reason, std::string_view message) {
  json::Object waiting{{"reason", reason}};
  if (!message.empty()) waiting["message"] = message;
  return json::Object{{"waiting", std::move(waiting)}};
}

json::Value default_waiting(const PodView& pod) {
  const bool has_init = pod.containers.front().kind != ContainerKind::app;
  return waiting_state(has_init ? "PodInitializing" : "ContainerCreating", "");
}

// The state and the last state, as the facts say.
void put_states(const PodView& pod, const ContainerObserved& state, json::Object& entry) {
  json::Value last = json::Object{};
  if (state.last_state) last = json::Object{{"terminated", *state.last_state}};
  if (state.running()) {
    json::Object running{{"startedAt", base::format_time(state.latest->started)}};
    entry["state"] = json::Object{{"running", std::move(running)}};
  } else if (state.waiting) {
    entry["state"] = waiting_state(state.waiting->reason, state.waiting->message);
    if (state.exited()) last = json::Object{{"terminated", terminated_state(*state.latest)}};
  } else if (state.exited()) {
    entry["state"] = json::Object{{"terminated", terminated_state(*state.latest)}};
  } else {
    entry["state"] = default_waiting(pod);
  }
  entry["lastState"] = std::move(last);
}

void put_mounts(const ContainerView& container, json::Object& entry) {
  json::Array mounts;
  for (const auto& mount : json::array_at(*container.spec, {"volumeMounts"})) {
    json::Object shown{{"name", json::string_at(mount, {"name"})},
                       {"mountPath", json::string_at(mount, {"mountPath"})}};
    if (json::bool_at(mount, {"readOnly"})) {
      shown["readOnly"] = true;
      shown["recursiveReadOnly"] = "Disabled";
    }
    mounts.push_back(std::move(shown));
  }
  if (!mounts.empty()) entry["volumeMounts"] = std::move(mounts);
}

// What a run was started with: a later change of the spec does not reach it.
void put_resources(const ContainerView& container, const ContainerObserved& state,
                   const json::Value* known, json::Object& entry) {
  const bool same_run = known && state.running() &&
                        json::string_at(*known, {"containerID"}) == "koi://" + state.latest->id;
  if (same_run && json::find(*known, {"resources"})) {
    for (const auto* field : {"allocatedResources", "resources"}) {
      if (const auto* value = json::find(*known, {field})) entry[field] = *value;
    }
    return;
  }
  if (const auto* requests = json::find(*container.spec, {"resources", "requests"})) {
    entry["allocatedResources"] = *requests;
  }
  const auto* resources = json::find(*container.spec, {"resources"});
  entry["resources"] = resources ? *resources : json::Value(json::Object{});
}

bool is_ready(const ContainerView& container, const ContainerObserved& state) {
  if (container.kind == ContainerKind::init) return state.succeeded();
  return state.running() && state.ready;
}

}  // namespace

const json::Value* find_container_status(const json::Value& status, std::string_view name) {
  for (const auto* field : {"initContainerStatuses", "containerStatuses"}) {
    for (const auto& entry : json::array_at(status, {field})) {
      if (json::string_at(entry, {"name"}) == name) return &entry;
    }
  }
  return nullptr;
}

json::Value container_status(const PodView& pod, const ContainerView& container,
                             const PodObserved& seen, const json::Value& before) {
  const auto& state = seen.at(container.name);
  const auto* known = find_container_status(before, container.name);
  const bool over =
      !seen.terminal_phase.empty() || (seen.initialized && container.kind == ContainerKind::init);
  // The node may have forgotten what ended long ago; the API has not.
  if (known && !state.latest && !state.waiting && over) return *known;
  json::Object entry{{"name", container.name}};
  put_states(pod, state, entry);
  entry["ready"] = is_ready(container, state);
  entry["restartCount"] =
      state.latest ? state.latest->attempt : (state.next_attempt > 0 ? state.next_attempt - 1 : 0);
  entry["image"] = container.image;
  entry["imageID"] = state.image_id;
  if (state.latest) entry["containerID"] = "koi://" + state.latest->id;
  entry["started"] = state.running() && state.started;
  put_resources(container, state, known, entry);
  put_mounts(container, entry);
  return entry;
}

}  // namespace koi::agent
