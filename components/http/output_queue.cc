#include "http/output_queue.h"

namespace koi::http {

namespace {

constexpr std::size_t copied_bytes_max = 16 * 1024;
constexpr std::size_t pieces_per_write_max = 64;
// Memory that an empty queue may keep.
constexpr std::size_t kept_pieces_max = 16;

}  // namespace

void OutputQueue::append(std::string_view bytes) {
  if (bytes.empty()) return;
  const bool fits = pieces_.size() > first_ && !pieces_.back().owner &&
                    pieces_.back().copied.size() + bytes.size() <= copied_bytes_max;
  if (!fits) pieces_.emplace_back();
  pieces_.back().copied.append(bytes);
  size_ += bytes.size();
}

void OutputQueue::append(const Segment& segment, std::string_view part) {
  if (part.empty()) return;
  pieces_.push_back({segment, {}, part});
  size_ += part.size();
}

const std::vector<std::string_view>& OutputQueue::pieces() {
  views_.clear();
  for (std::size_t i = first_; i < pieces_.size() && views_.size() < pieces_per_write_max; ++i) {
    const Piece& piece = pieces_[i];
    views_.push_back(piece.owner ? piece.part : std::string_view(piece.copied));
  }
  if (!views_.empty()) views_.front().remove_prefix(offset_);
  return views_;
}

void OutputQueue::consume(std::size_t bytes) {
  size_ -= bytes;
  offset_ += bytes;
  while (first_ < pieces_.size()) {
    Piece& piece = pieces_[first_];
    const std::size_t piece_size = piece.owner ? piece.part.size() : piece.copied.size();
    if (offset_ < piece_size) break;
    offset_ -= piece_size;
    piece = Piece();
    ++first_;
  }
  if (size_ > 0) return;
  first_ = 0;
  pieces_.clear();
  if (pieces_.capacity() > kept_pieces_max) {
    pieces_ = {};
    views_ = {};
  }
}

}  // namespace koi::http
