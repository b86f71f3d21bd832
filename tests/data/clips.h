// Small clips that the data tests make for themselves.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "data/image.h"
#include "data/video_writer.h"
#include "ir/error.h"

namespace grimace::testing {

// A picture that tells its frame: a bright bar moves and the background changes.
inline Image moving_bar(int width, int height, int frame) {
  Image image = make_image(width, height, {static_cast<uint8_t>(30 + frame * 2), 90, 60});
  const Image bar = make_image(6, height, {240, 230, 220});
  paste(image, bar, frame * 3 % width, 0);
  return image;
}

inline void write_clip(const std::filesystem::path& path, int frames, int width = 64,
                       int height = 48) {
  VideoWriter writer(path, width, height, 25);
  for (int frame = 0; frame < frames; ++frame) writer.add(moving_bar(width, height, frame));
  writer.finish();
}

// A clip of one colour: its pixels tell which clip it is.
inline void write_plain_clip(const std::filesystem::path& path, int frames, Rgb colour) {
  VideoWriter writer(path, 32, 32, 25);
  for (int frame = 0; frame < frames; ++frame) writer.add(make_image(32, 32, colour));
  writer.finish();
}

template <typename Bytes>
void write_bytes(const std::filesystem::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(std::data(bytes)),
             static_cast<std::streamsize>(std::size(bytes)));
}

}  // namespace grimace::testing
