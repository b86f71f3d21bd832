// The free pieces of a stretch of memory that grows at its end. Taking and giving back cost the
// logarithm of their number: for plans of so many values that each cannot be compared with all.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace grimace {

class FreeSpace {
 public:
  // The offset of a piece of this size (> 0), out of the smallest free one that holds it.
  int64_t take(int64_t bytes) {
    const auto found = by_size_.lower_bound({bytes, 0});
    if (found == by_size_.end()) return grow(bytes);
    const auto [size, offset] = *found;
    remove(offset, size);
    if (size > bytes) add(offset + bytes, size - bytes);
    return offset;
  }

  // Frees a piece that was taken; neighbours become one.
  void give(int64_t offset, int64_t bytes) {
    const auto next = by_offset_.lower_bound(offset);
    if (next != by_offset_.begin()) {
      const auto [before, size] = *std::prev(next);
      if (before + size == offset) {
        remove(before, size);
        offset = before;
        bytes += size;
      }
    }
    if (const auto found = by_offset_.find(offset + bytes); found != by_offset_.end()) {
      const auto [after, size] = *found;
      remove(after, size);
      bytes += size;
    }
    add(offset, bytes);
  }

  int64_t end() const { return end_; }  // the most that was ever taken

 private:
  // At the end, into the free piece that may be there.
  int64_t grow(int64_t bytes) {
    int64_t offset = end_;
    if (!by_offset_.empty()) {
      const auto [last, size] = *by_offset_.rbegin();
      if (last + size == end_) {
        remove(last, size);
        offset = last;
      }
    }
    end_ = offset + bytes;
    return offset;
  }
  void add(int64_t offset, int64_t bytes) {
    by_offset_.emplace(offset, bytes);
    by_size_.emplace(bytes, offset);
  }
  void remove(int64_t offset, int64_t bytes) {
    by_offset_.erase(offset);
    by_size_.erase({bytes, offset});
  }

  std::map<int64_t, int64_t> by_offset_;
  std::set<std::pair<int64_t, int64_t>> by_size_;
  int64_t end_ = 0;
};

}  // namespace grimace
