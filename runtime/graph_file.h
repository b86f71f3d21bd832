// Saved graphs on disk, in the form of ir/serialize.h.
#pragma once

#include <filesystem>

#include "ir/serialize.h"

namespace grimace {

// The file is complete or as before. Error when no file can be made there, RunError when writing
// fails (disk full).
void save_graph(const Graph& graph, const std::filesystem::path& path);
// Error naming the file.
std::unique_ptr<Graph> load_graph(const std::filesystem::path& path);

}  // namespace grimace
