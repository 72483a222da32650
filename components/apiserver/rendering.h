#pragma once

#include <memory>
#include <string>

#include "api/status.h"
#include "apiserver/call.h"
#include "apiserver/event_stream.h"
#include "apiserver/negotiation.h"
#include "base/time.h"
#include "http/message.h"

// Answers in the form that the client asked for. Objects in plain JSON are sent as they are stored,
// byte for byte.
namespace koi::apiserver {

// An object's stored bytes, shared.
http::Segment segment_of(const api::ObjectPtr& object);

http::Response render_status(const Rendering& rendering, const api::Status& status);

http::Response render_object(const Rendering& rendering, const api::Schema& schema,
                             base::WallTime now, const api::ObjectPtr& object, int code);

http::Response render_list(const Rendering& rendering, const Resource& resource,
                           const api::Schema& schema, base::WallTime now, const ListResult& list);

// A value in the rendering's format; JSON where protobuf has no form for it. Sets the content type.
http::Response render_value(const Rendering& rendering, const api::Schema& schema,
                            const json::Value& value, int code);

// Encodings of events that many watchers share, so that each is made once. Any thread.
class EventCache;
std::shared_ptr<EventCache> make_event_cache();

// The body of a watch: one frame per event until the stream ends.
std::unique_ptr<http::BodyStream> make_watch_body(const Rendering& rendering,
                                                  const api::Schema& schema, base::Clock& clock,
                                                  std::shared_ptr<EventCache> cache,
                                                  std::unique_ptr<EventStream> stream);
std::string watch_content_type(const Rendering& rendering);

}  // namespace koi::apiserver
