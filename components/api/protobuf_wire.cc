#include "api/protobuf_wire.h"

#include <algorithm>
#include <cstring>

namespace koi::api::wire {

char* ReverseWriter::reserve(std::size_t count) {
  if (begin_ < count) {
    const std::size_t used = size();
    const std::size_t grown = std::max(buffer_.size() * 2, used + count);
    std::string wider(grown, '\0');
    std::memcpy(wider.data() + (grown - used), buffer_.data() + begin_, used);
    buffer_ = std::move(wider);
    begin_ = grown - used;
  }
  begin_ -= count;
  return buffer_.data() + begin_;
}

void ReverseWriter::raw(std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
}

void ReverseWriter::varint(std::uint64_t value) {
  char digits[10];
  std::size_t count = 0;
  while (value >= 0x80) {
    digits[count++] = static_cast<char>((value & 0x7fU) | 0x80U);
    value >>= 7U;
  }
  digits[count++] = static_cast<char>(value);
  std::memcpy(reserve(count), digits, count);
}

void ReverseWriter::fixed64(std::uint64_t value) {
  char* out = reserve(8);
  for (unsigned i = 0; i < 8; ++i) out[i] = static_cast<char>(value >> (8U * i));
}

bool Reader::varint(std::uint64_t& value) {
  value = 0;
  constexpr std::size_t bytes_max = 10;
  for (std::size_t i = 0; i < bytes_max && i < rest_.size(); ++i) {
    const auto byte = static_cast<unsigned char>(rest_[i]);
    if (i == bytes_max - 1 && byte > 1) return fail();
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << (7U * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return fail();
}

bool Reader::fixed(std::size_t size, std::uint64_t& value) {
  if (rest_.size() < size) return fail();
  value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(rest_[i])) << (8U * i);
  }
  rest_.remove_prefix(size);
  return true;
}

bool Reader::next(Item& item) {
  if (rest_.empty() || failed_) return false;
  std::uint64_t tag = 0;
  if (!varint(tag)) return false;
  const std::uint64_t number = tag >> 3U;
  if (number == 0 || number > 0x1fffffff) return fail();
  item.number = static_cast<std::uint32_t>(number);
  item.type = static_cast<WireType>(tag & 7U);
  switch (item.type) {
    case WireType::varint:
      return varint(item.value);
    case WireType::fixed64:
      return fixed(8, item.value);
    case WireType::fixed32:
      return fixed(4, item.value);
    case WireType::bytes: {
      std::uint64_t length = 0;
      if (!varint(length)) return false;
      if (length > rest_.size()) return fail();
      item.content = rest_.substr(0, static_cast<std::size_t>(length));
      rest_.remove_prefix(static_cast<std::size_t>(length));
      return true;
    }
  }
  return fail();
}

}  // namespace koi::api::wire
