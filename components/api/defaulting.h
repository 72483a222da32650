#pragma once

#include "api/schema.h"
#include "json/value.h"

// The defaults of Kubernetes 1.36. Any thread. Both expect the stored form that decode() gives and
// keep it, and both may run any number of times.
namespace koi::api {

// Sets what a field takes where it was left out: the defaults of the description first, then those
// that depend on other fields. For every body of create, update and patch, before validation.
void apply_defaults(json::Value& value, const Type& type);

// Sets what only a new object gets, after apply_defaults() and once metadata.uid is known: the
// first status and phase, a Pod's QoS class, a Namespace's finalizer, a Job's selector.
void prepare_new_object(json::Value& value, const Kind& kind);

// "Guaranteed", "Burstable" or "BestEffort", by the resources of a Pod.
std::string_view qos_class(const json::Value& pod);

}  // namespace koi::api
