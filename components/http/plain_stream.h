#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <memory>
#include <string>

#include "http/byte_stream.h"

namespace koi::http {

using StreamSocket = boost::asio::generic::stream_protocol::socket;

// A connected socket as a stream. For this component's sources.
std::unique_ptr<ByteStream> make_plain_stream(StreamSocket socket, std::string peer_address);

}  // namespace koi::http
