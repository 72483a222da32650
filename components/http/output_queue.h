#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace koi::http {

// Bytes on their way to a stream: small ones are copied together, shared ones are referred to.
class OutputQueue {
 public:
  void append(std::string_view bytes);
  // `part` lies within the segment.
  void append(const Segment& segment, std::string_view part);

  std::size_t size() const { return size_; }
  // The front of the queue, in pieces. Valid until the next change.
  const std::vector<std::string_view>& pieces();
  // Drops that many bytes from the front.
  void consume(std::size_t bytes);

 private:
  struct Piece {
    Segment owner;  // null: the bytes are in `copied`
    std::string copied;
    std::string_view part;
  };
  std::vector<Piece> pieces_;
  std::size_t first_ = 0;   // pieces before this one are gone
  std::size_t offset_ = 0;  // into the first piece
  std::size_t size_ = 0;
  std::vector<std::string_view> views_;
};

}  // namespace koi::http
