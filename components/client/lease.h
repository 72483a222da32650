#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "client/api_client.h"

namespace koi::client {

struct LeaseOptions {
  std::string name_space{};  // "kube-node-lease" of node heartbeats
  std::string name{};
  std::string holder{};  // who we are
  base::Duration duration = std::chrono::seconds(40);
  base::Duration renew_every = std::chrono::seconds(10);
  std::optional<json::Value> owner{};  // the ownerReference to set when the lease is made
};

enum class LeaseStep { create, take, renew, wait };

// What a holder has to do about the lease as it stands. Of another holder's lease, `unchanged_for`
// is how long we have seen it unchanged on our own clock: clocks of others are not trusted.
LeaseStep plan_lease(const json::Value* lease, const LeaseOptions& options,
                     base::Duration unchanged_for);

// Holds a coordination/v1 Lease by renewing it. One executor.
class LeaseKeeper {
 public:
  LeaseKeeper(ApiClient& client, base::Clock& clock, LeaseOptions options);

  // Renews until cancelled, taking the lease over first once its holder stopped renewing. A renewal
  // that fails is tried again sooner than the next is due.
  base::Task<> run();
  // One attempt: whether we hold the lease afterwards.
  base::Task<base::Result<bool>> attempt();

  // True while the last renewal is younger than the lease's duration.
  bool is_held() const;

 private:
  json::Value build(const json::Value* lease, LeaseStep step) const;
  void observe(const api::ObjectPtr& lease);

  ApiClient& client_;
  base::Clock& clock_;
  const LeaseOptions options_;

  api::ObjectPtr lease_;  // as last seen
  base::MonoTime changed_{};
  std::optional<base::MonoTime> renewed_;
};

}  // namespace koi::client
