#pragma once

#include <string>

#include "api/status.h"
#include "apiserver/call.h"
#include "base/random.h"
#include "base/time.h"

// The parts of metadata that belong to the server.
namespace koi::apiserver {

// Checks name and namespace of a body against the path, and fills in what the body leaves out.
api::StatusOr<void> match_metadata(const Call& call, json::Value& object);

// Gives a new object its uid, creation time and first generation; takes away what a client may not
// choose.
void stamp_new(const Resource& resource, base::Clock& clock, base::Random& random,
               json::Value& object);

// What generateName becomes: at most 58 characters of the base and five random ones.
std::string generated_name(std::string_view base, base::Random& random);

// Takes over from `before` what a write may not change, and counts the generation.
void keep_system_metadata(const Resource& resource, const json::Value& before, json::Value& object);

// Whether the object may go now: its deletion was asked for, nobody holds it with a finalizer, and
// no node has still to stop it.
bool is_ready_to_go(const Resource& resource, const json::Value& object);

// The members in the order in which upstream prints them, kind and apiVersion first: readers rely
// on that head.
void arrange(const Resource& resource, json::Value& object);

}  // namespace koi::apiserver
