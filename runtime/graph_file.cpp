#include "runtime/graph_file.h"

#include "runtime/atomic_file.h"
#include "runtime/input_file.h"

namespace grimace {

void save_graph(const Graph& graph, const std::filesystem::path& path) {
  ensure_writable_place(path);
  write_text(path, to_bytes(graph));
}

std::unique_ptr<Graph> load_graph(const std::filesystem::path& path) {
  const InputFile file(path, "a saved graph");
  check(file.size() <= static_cast<int64_t>(kMaxGraphBytes), path.string(),
        ": a graph file may have at most ", kMaxGraphBytes, " bytes");
  std::string bytes(static_cast<size_t>(file.size()), '\0');
  file.read(0, std::as_writable_bytes(std::span(bytes)));
  try {
    return from_bytes(bytes);
  } catch (const Error& e) {
    throw Error(cat(path.string(), ": ", e.what()));
  }
}

}  // namespace grimace
