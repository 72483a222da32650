#include "client/lease.h"

#include <utility>

#include "base/log.h"
#include "client/object_key.h"

namespace koi::client {

namespace {

const Resource leases_resource{.group = "coordination.k8s.io", .version = "v1", .plural = "leases"};

std::int64_t whole_seconds(base::Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

}  // namespace

LeaseStep plan_lease(const json::Value* lease, const LeaseOptions& options,
                     base::Duration unchanged_for) {
  if (lease == nullptr) return LeaseStep::create;
  const auto holder = json::string_at(*lease, {"spec", "holderIdentity"});
  if (holder == options.holder) return LeaseStep::renew;
  if (holder.empty()) return LeaseStep::take;
  const std::chrono::seconds lasts(
      json::int_at(*lease, {"spec", "leaseDurationSeconds"}, whole_seconds(options.duration)));
  return unchanged_for >= lasts ? LeaseStep::take : LeaseStep::wait;
}

LeaseKeeper::LeaseKeeper(ApiClient& client, base::Clock& clock, LeaseOptions options)
    : client_(client), clock_(clock), options_(std::move(options)) {}

bool LeaseKeeper::is_held() const {
  return renewed_.has_value() && clock_.now() - *renewed_ < options_.duration;
}

base::Task<> LeaseKeeper::run() {
  while (true) {
    const auto held = co_await attempt();
    if (!held) {
      base::log::warn(
          "lease.renew",
          {{"lease", options_.name}, {"error", held.error().message}, {"next", "trying again"}});
      lease_ = nullptr;
    }
    co_await clock_.sleep_for(held ? options_.renew_every : options_.renew_every / 4);
  }
}

void LeaseKeeper::observe(const api::ObjectPtr& lease) {
  const bool same = lease_ != nullptr && lease != nullptr &&
                    lease_->resource_version() == lease->resource_version();
  if (!same) changed_ = clock_.now();
  lease_ = lease;
}

base::Task<base::Result<bool>> LeaseKeeper::attempt() {
  const ObjectRef ref{.resource = leases_resource,
                      .name_space = options_.name_space,
                      .name = options_.name,
                      .subresource = {}};
  const bool ours = lease_ != nullptr &&
                    json::string_at(lease_->value(), {"spec", "holderIdentity"}) == options_.holder;
  // Our own lease is renewed from what we wrote last: one request a heartbeat.
  if (!ours) {
    auto read = co_await client_.get(ref);
    if (!read && read.error().code != base::Code::not_found) {
      co_return base::fail(std::move(read).error().during("read lease"));
    }
    observe(read ? *read : nullptr);
  }
  const json::Value* value = lease_ != nullptr ? &lease_->value() : nullptr;
  const auto step = plan_lease(value, options_, clock_.now() - changed_);
  if (step == LeaseStep::wait) co_return false;
  auto object = build(value, step);
  base::Result<api::ObjectPtr> written;
  if (step == LeaseStep::create) {
    written = co_await client_.create(ref, std::move(object));
  } else {
    written = co_await client_.update(ref, std::move(object));
  }
  if (!written) {
    lease_ = nullptr;
    co_return base::fail(std::move(written).error().during("write lease"));
  }
  observe(*written);
  renewed_ = clock_.now();
  co_return true;
}

json::Value LeaseKeeper::build(const json::Value* lease, LeaseStep step) const {
  const auto now = base::format_micro_time(clock_.wall_now());
  json::Value built = lease != nullptr ? *lease : json::Value(json::Object());
  if (lease == nullptr) {
    built.as_object()["apiVersion"] = "coordination.k8s.io/v1";
    built.as_object()["kind"] = "Lease";
    json::set(built, {"metadata", "name"}, text(options_.name));
    json::set(built, {"metadata", "namespace"}, text(options_.name_space));
    if (options_.owner) {
      json::ensure_array(built, {"metadata", "ownerReferences"}).push_back(*options_.owner);
    }
  }
  if (step == LeaseStep::take) {
    json::set(built, {"spec", "leaseTransitions"},
              json::int_at(built, {"spec", "leaseTransitions"}, 0) + 1);
    json::set(built, {"spec", "acquireTime"}, text(now));
  }
  json::set(built, {"spec", "holderIdentity"}, text(options_.holder));
  json::set(built, {"spec", "leaseDurationSeconds"}, whole_seconds(options_.duration));
  json::set(built, {"spec", "renewTime"}, text(now));
  return built;
}

}  // namespace koi::client
