// What a mistyped word was probably meant to be.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/nearest.h"

namespace grimace {

// The nearest of `known`, or one that the word is the start of; empty when none is near.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace grimace
