#pragma once

#include "api/schema.h"
#include "json/value.h"

// Kinds that are served in two forms but stored in one: Event (core v1 and events.k8s.io/v1) and
// HorizontalPodAutoscaler (autoscaling/v2 and v1). Any thread.
namespace koi::api {

// The kind in whose form objects of `kind` are stored; `kind` itself for all but those two.
const Kind& storage_kind(const Kind& kind, const Schema& schema);

// Turns an object of one form into the other, apiVersion included; nothing is lost on the way there
// and back. Does nothing where both are the same form or no such pair.
void convert(json::Value& object, const Kind& source, const Kind& target);

}  // namespace koi::api
