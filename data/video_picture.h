// Decodes one JPEG or PNG file.
#pragma once

#include <filesystem>

#include "data/image.h"

namespace grimace {

// 8-bit RGB; transparency is dropped. Error naming the file when it is damaged, truncated, of
// another format, or larger than 256 MiB.
Image decode_picture(const std::filesystem::path& file);

}  // namespace grimace
