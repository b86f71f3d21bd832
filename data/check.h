// Opens every clip of a list before a run does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/clip.h"
#include "data/list_file.h"

namespace grimace {

struct BadClip {
  std::filesystem::path path;
  int64_t line = 0;    // in the list
  std::string reason;  // one line, names the file
};

// Opens each clip and decodes the frames of its first and of its last possible clip, on `workers`
// threads. Returns the unreadable ones in the list's order. `progress`, where given, is called
// with the number of clips done, from any of the threads but never from two at once.
std::vector<BadClip> check_list(const ListFile& list, const ClipConfig& config, int workers = 1,
                                const std::function<void(int64_t)>& progress = {});

}  // namespace grimace
