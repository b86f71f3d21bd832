// JSON that comes from outside, limited in size and nesting before anything is built of it: a value
// takes many times the memory of its text, and is copied and printed by recursion.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace grimace {

inline constexpr size_t kMaxJsonBytes = size_t{4} << 20;
inline constexpr int kMaxJsonDepth = 64;  // brackets inside one another

// Error, opening with `where`, when the text is no JSON or beyond these limits.
nlohmann::json parse_json(std::string_view text, const std::string& where);
// The same of a whole file, which is named.
nlohmann::json read_json(const std::filesystem::path& file);

}  // namespace grimace
