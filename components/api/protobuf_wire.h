#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// The wire format of protobuf, below any message.
namespace koi::api::wire {

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

// Writes from the back to the front, so that a length is known when it is written: what comes last
// in the message is written first.
class ReverseWriter {
 public:
  ReverseWriter() : buffer_(512, '\0'), begin_(buffer_.size()) {}

  std::size_t size() const { return buffer_.size() - begin_; }
  void raw(std::string_view bytes);
  void varint(std::uint64_t value);
  void fixed64(std::uint64_t value);
  void tag(std::uint32_t number, WireType type) {
    varint(std::uint64_t{number} << 3U | static_cast<std::uint64_t>(type));
  }
  // A length-delimited field.
  void bytes(std::uint32_t number, std::string_view content) {
    raw(content);
    varint(content.size());
    tag(number, WireType::bytes);
  }
  void number(std::uint32_t number, std::uint64_t value) {
    varint(value);
    tag(number, WireType::varint);
  }
  // The field `number` holds all that was written since size() was `size_before`.
  void close(std::uint32_t number, std::size_t size_before) {
    varint(size() - size_before);
    tag(number, WireType::bytes);
  }
  std::string take() { return buffer_.substr(begin_); }

 private:
  char* reserve(std::size_t count);

  std::string buffer_;
  std::size_t begin_;
};

struct Item {
  std::uint32_t number = 0;
  WireType type = WireType::varint;
  std::uint64_t value = 0;   // of a varint, fixed64 or fixed32
  std::string_view content;  // of bytes
};

// Reads one message. next() is false at the end and at the first fault.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool next(Item& item);
  bool varint(std::uint64_t& value);
  bool at_end() const { return rest_.empty(); }
  bool failed() const { return failed_; }

 private:
  bool fail() {
    failed_ = true;
    return false;
  }
  bool fixed(std::size_t size, std::uint64_t& value);

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace koi::api::wire
