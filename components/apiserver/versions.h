#pragma once

#include "api/status.h"
#include "apiserver/call.h"

// Kinds that are served in one form and stored in another: what goes in is turned into the stored
// form, what comes out into the served one. Everything passes through unchanged for all others.
namespace koi::apiserver {

// The same call on the resource that holds the objects.
Call stored_call(const Call& call);
// A shaped body in its stored form.
api::StatusOr<json::Value> stored_body(const Call& call, json::Value body);

json::Value viewed(const Resource& resource, const json::Value& stored);
api::ObjectPtr viewed(const Resource& resource, const api::ObjectPtr& stored);
void show(const Call& call, ListResult& list);
api::StatusOr<Written> shown(const Call& call, api::StatusOr<Written> written);

}  // namespace koi::apiserver
