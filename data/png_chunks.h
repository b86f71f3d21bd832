// The parts of a PNG file that make its picture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace grimace {

// Moves the signature and the chunks that pixels and their colours depend on to the front, and
// returns their bytes. Texts and profiles go: their few bytes may stand for gigabytes, all of which
// FFmpeg would unpack. What follows the picture's end goes too. Error naming `file` where a chunk
// is cut short.
size_t keep_picture_chunks(const std::string& file, std::span<uint8_t> png);

}  // namespace grimace
