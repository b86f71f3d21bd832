// What a mistyped word was probably meant to be.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace grimace {

// Levenshtein distance.
size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known`, or one that the word is the start of; empty when none is near.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace grimace
