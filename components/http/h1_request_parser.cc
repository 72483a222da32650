#include <boost/beast/http/basic_parser.hpp>
#include <limits>

#include "http/h1_parser.h"

namespace koi::http {

namespace beast = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

namespace {

std::string_view view(string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct H1RequestParser::Parser final : beast::basic_parser<true> {
  explicit Parser(Request& request_in, std::size_t header_bytes_max) : request(request_in) {
    header_limit(static_cast<std::uint32_t>(header_bytes_max));
    body_limit(boost::none);
    eager(false);
  }

  void on_request_impl(beast::verb, string_view method, string_view target, int version,
                       error_code&) override {
    request.method = http::parse_method(view(method));
    if (request.method == Method::unknown) request.method_text = view(method);
    request.target = view(target);
    request.version = version;
  }

  void on_field_impl(beast::field field, string_view name, string_view value,
                     error_code&) override {
    if (in_body) return;  // trailers
    if (field == beast::field::host) ++hosts;
    if (field == beast::field::transfer_encoding) {
      ++encodings;
      if (!equal_ignoring_case(view(value), "chunked")) foreign_encoding = true;
    }
    request.headers.add(view(name), view(value));
  }

  void on_header_impl(error_code&) override { in_body = true; }

  void on_body_init_impl(const boost::optional<std::uint64_t>& size, error_code&) override {
    constexpr std::uint64_t reserved_bytes_max = 256 * 1024;
    if (size) request.body.reserve(static_cast<std::size_t>(std::min(*size, reserved_bytes_max)));
  }

  std::size_t on_body_impl(string_view bytes, error_code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  Request& request;
  int hosts = 0;
  int encodings = 0;
  bool foreign_encoding = false;
  bool in_body = false;
  bool head_told = false;
};

namespace {

int status_of(const error_code& error) {
  if (error == beast::error::header_limit) return 431;
  if (error == beast::error::body_limit) return 413;
  if (error == beast::error::bad_version) return 505;
  return 400;
}

}  // namespace

H1RequestParser::H1RequestParser(std::size_t header_bytes_max)
    : header_bytes_max_(header_bytes_max) {
  reset();
}

H1RequestParser::~H1RequestParser() = default;

void H1RequestParser::reset() {
  request_ = Request();
  status_ = 0;
  why_.clear();
  begun_ = false;
  head_bytes_ = 0;
  parser_ = std::make_unique<Parser>(request_, header_bytes_max_);
}

Parsed H1RequestParser::refuse(int status, std::string why) {
  status_ = status;
  why_ = std::move(why);
  return Parsed::failed;
}

Parsed H1RequestParser::judge_head() {
  parser_->head_told = true;
  const bool modern = request_.version >= 11;
  if (parser_->foreign_encoding) return refuse(501, "the transfer encoding is not chunked");
  if (parser_->encodings > 1) return refuse(400, "more than one transfer encoding");
  if (!modern && parser_->encodings > 0) return refuse(400, "a transfer encoding in HTTP/1.0");
  if (parser_->hosts > 1 || (modern && parser_->hosts == 0)) {
    return refuse(400, "the request needs exactly one Host");
  }
  return Parsed::head;
}

Parsed H1RequestParser::feed(std::string_view& input) {
  // Empty lines before a request are allowed (RFC 9112 section 2.2).
  while (!begun_ && input.starts_with("\r\n")) input.remove_prefix(2);
  if (!begun_ && input == "\r") return Parsed::more;
  if (!input.empty()) begun_ = true;
  for (;;) {
    if (parser_->is_header_done() && !parser_->head_told) return judge_head();
    if (parser_->is_done()) return Parsed::done;
    if (input.empty()) return Parsed::more;
    error_code error;
    const bool in_head = !parser_->is_header_done();
    const std::size_t used = parser_->put({input.data(), input.size()}, error);
    input.remove_prefix(used);
    // Beast bounds what one call parses, not what the calls for one head do together.
    if (in_head) head_bytes_ += used;
    const bool waits = error == beast::error::need_more;
    if (head_bytes_ + (waits && in_head ? input.size() : 0) > header_bytes_max_) {
      return refuse(431, "the head is too large");
    }
    if (waits && input.size() > header_bytes_max_) return refuse(431, "a line is too long");
    if (waits) return Parsed::more;
    if (error) return refuse(status_of(error), error.message());
  }
}

void H1RequestParser::limit_body(std::size_t bytes_max) { parser_->body_limit(bytes_max); }

std::optional<std::uint64_t> H1RequestParser::content_length() const {
  const auto length = parser_->content_length();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}

bool H1RequestParser::has_body() const { return !parser_->is_done(); }
bool H1RequestParser::keep_alive() const { return parser_->keep_alive(); }

bool H1RequestParser::expects_continue() const {
  return request_.version >= 11 &&
         equal_ignoring_case(request_.headers.get("Expect"), "100-continue");
}

}  // namespace koi::http
