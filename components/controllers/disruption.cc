#include "controllers/disruption.h"

#include "client/object_key.h"
#include "controllers/kinds.h"
#include "controllers/owner.h"

namespace koi::controllers {

base::Task<base::Result<>> note_disruption(Context& context, api::ObjectPtr pod,
                                           Disruption disruption) {
  json::Array conditions;
  for (const auto& each : json::array_at(pod->value(), {"status", "conditions"})) {
    if (json::string_at(each, {"type"}) != "DisruptionTarget") conditions.push_back(each);
  }
  conditions.push_back(make_condition("DisruptionTarget", true, disruption.reason,
                                      disruption.message,
                                      base::format_time(context.clock.wall_now())));
  json::Value patch = json::Object();
  json::set(patch, {"metadata", "uid"}, client::text(pod->uid()));
  json::set(patch, {"metadata", "resourceVersion"}, client::text(pod->resource_version()));
  json::set(patch, {"status", "conditions"}, std::move(conditions));
  if (!disruption.phase.empty()) {
    json::set(patch, {"status", "phase"}, client::text(disruption.phase));
  }
  const auto ref = client::ref_of(kinds::pods, *pod, "status");
  const auto written =
      co_await context.client.patch(ref, client::PatchType::merge, std::move(patch));
  if (written || written.error().code == base::Code::not_found) co_return base::Result<>();
  co_return base::fail(written.error());
}

}  // namespace koi::controllers
