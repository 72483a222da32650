#include <boost/beast/http/basic_parser.hpp>

#include "http/h1_parser.h"

namespace koi::http {

namespace beast = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

namespace {

std::string_view view(string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct H1ResponseParser::Parser final : beast::basic_parser<false> {
  Parser(Headers& headers_in, std::string& body_in) : headers(headers_in), body(body_in) {}

  void on_response_impl(int status_in, string_view, int, error_code&) override {
    status = status_in;
  }

  void on_field_impl(beast::field, string_view name, string_view value, error_code&) override {
    if (!in_body) headers.add(view(name), view(value));
  }

  void on_header_impl(error_code&) override { in_body = true; }

  std::size_t on_body_impl(string_view bytes, error_code&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  void on_request_impl(beast::verb, string_view, string_view, int, error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  Headers& headers;
  std::string& body;
  int status = 0;
  bool in_body = false;
  bool head_told = false;
  std::size_t head_bytes = 0;
};

H1ResponseParser::H1ResponseParser(std::size_t header_bytes_max, bool bodiless)
    : header_bytes_max_(header_bytes_max), bodiless_(bodiless) {}

H1ResponseParser::~H1ResponseParser() = default;

Parsed H1ResponseParser::feed(std::string_view& input) {
  for (;;) {
    const Parsed parsed = feed_once(input);
    const bool interim = parsed == Parsed::head && status() / 100 == 1 && status() != 101;
    if (!interim) return parsed;
    parser_.reset();
  }
}

Parsed H1ResponseParser::feed_once(std::string_view& input) {
  if (!parser_) {
    headers_.clear();
    parser_ = std::make_unique<Parser>(headers_, body_);
    parser_->header_limit(static_cast<std::uint32_t>(header_bytes_max_));
    parser_->body_limit(boost::none);
    parser_->eager(false);
    parser_->skip(bodiless_);
  }
  for (;;) {
    if (parser_->is_header_done() && !parser_->head_told) {
      parser_->head_told = true;
      return Parsed::head;
    }
    if (parser_->is_done()) return Parsed::done;
    if (input.empty()) return Parsed::more;
    error_code error;
    const bool in_head = !parser_->is_header_done();
    const std::size_t used = parser_->put({input.data(), input.size()}, error);
    input.remove_prefix(used);
    if (in_head) parser_->head_bytes += used;
    const bool waits = error == beast::error::need_more;
    const bool overlong =
        parser_->head_bytes > header_bytes_max_ || (waits && input.size() > header_bytes_max_);
    if (overlong || (error && !waits)) {
      why_ = overlong ? "the head of the answer, or a line, is too long" : error.message();
      return Parsed::failed;
    }
    if (waits) return Parsed::more;
  }
}

Parsed H1ResponseParser::finish() {
  why_ = "the connection ended inside the answer";
  if (!parser_ || !parser_->is_header_done()) return Parsed::failed;
  if (parser_->is_done()) return Parsed::done;
  error_code error;
  parser_->put_eof(error);
  return error ? Parsed::failed : Parsed::done;
}

bool H1ResponseParser::keep_alive() const {
  return parser_ && parser_->is_header_done() && parser_->keep_alive();
}

int H1ResponseParser::status() const { return parser_ ? parser_->status : 0; }

std::string H1ResponseParser::take_body() { return std::exchange(body_, {}); }

}  // namespace koi::http
