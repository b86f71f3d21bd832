// The values of a constant as text: [0.485,-0,inf,nan]. Round trips every bit pattern: a NaN other
// than the standard one is written as its bits (0x7fc00001), bool as 0 and 1, and bf16 and f16 as
// the float they stand for.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/types.h"

namespace grimace {

std::string constant_to_text(const TensorType& type, std::span<const std::byte> data);
// Error when `text` is not a list of type.numel() such values. Allocates by what is there, never by
// what the type promises.
std::vector<std::byte> constant_from_text(const TensorType& type, std::string_view text);

}  // namespace grimace
