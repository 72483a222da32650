#pragma once

#include "api/schema.h"
#include "json/value.h"

// The defaults of Kubernetes 1.36. Any thread.
namespace koi::api {

// Sets what a field takes where it was left out: the defaults of the description first, then those
// that depend on other fields. For every body of create, update and patch, after decode() and
// before validation; running it again changes nothing.
void apply_defaults(json::Value& value, const Type& type);

}  // namespace koi::api
