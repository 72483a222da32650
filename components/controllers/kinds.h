#pragma once

#include "client/api_client.h"

// The resources that controllers read and write.
namespace koi::controllers::kinds {

using client::Resource;

inline const Resource config_maps{"", "v1", "configmaps"};
inline const Resource endpoints{"", "v1", "endpoints"};
inline const Resource namespaces{"", "v1", "namespaces"};
inline const Resource nodes{"", "v1", "nodes"};
inline const Resource pods{"", "v1", "pods"};
inline const Resource service_accounts{"", "v1", "serviceaccounts"};
inline const Resource services{"", "v1", "services"};
inline const Resource daemon_sets{"apps", "v1", "daemonsets"};
inline const Resource deployments{"apps", "v1", "deployments"};
inline const Resource replica_sets{"apps", "v1", "replicasets"};
inline const Resource stateful_sets{"apps", "v1", "statefulsets"};
inline const Resource controller_revisions{"apps", "v1", "controllerrevisions"};
inline const Resource jobs{"batch", "v1", "jobs"};
inline const Resource leases{"coordination.k8s.io", "v1", "leases"};
inline const Resource endpoint_slices{"discovery.k8s.io", "v1", "endpointslices"};

}  // namespace koi::controllers::kinds
