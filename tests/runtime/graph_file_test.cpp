// Saved graphs on disk.
#include "runtime/graph_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "ir/text.h"
#include "tests/ir/random_graph.h"
#include "tests/testing.h"

namespace grimace {
namespace {

using testing::error_of;
using testing::ScratchDir;

std::unique_ptr<Graph> example() {
  return parse(
      "graph example {\n  input %x : f32[2x3]\n  %y = neg %x : f32[2x3]\n  output %y\n}\n");
}

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(GraphFile, FilesRoundTripAndReplaceEachOther) {
  const ScratchDir dir;
  const auto path = dir / "model.graph";
  write_file(path, "something older");
  const auto graph = example();
  save_graph(*graph, path);
  EXPECT_TRUE(equal(*load_graph(path), *graph));
  const std::filesystem::directory_iterator files(dir.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST(GraphFile, UnreadablePathsAreNamed) {
  const ScratchDir dir;
  const auto missing = dir / "missing.graph";
  EXPECT_EQ(error_of([&] { load_graph(missing); }),
            "cannot open " + missing.string() + ": No such file or directory");
  EXPECT_EQ(error_of([&] { load_graph(dir.path()); }),
            dir.path().string() + ": is a folder or device; expected a saved graph");
  const auto wrong = dir / "wrong.graph";
  write_file(wrong, "PNG");
  EXPECT_EQ(error_of([&] { load_graph(wrong); }),
            wrong.string() + ": this is not a saved graph: it does not start with GRMGRAPH");
}

TEST(GraphFile, AFileBeyondTheSizeLimitIsNotRead) {
  const ScratchDir dir;
  const auto path = dir / "huge.graph";
  write_file(path, "GRMGRAPH");
  std::filesystem::resize_file(path, kMaxGraphBytes + 1);  // sparse
  EXPECT_EQ(error_of([&] { load_graph(path); }),
            path.string() + ": a graph file may have at most 1073741824 bytes");
}

TEST(GraphFile, UnwritablePlacesAreNamed) {
  const ScratchDir dir;
  const auto graph = example();
  const auto nowhere = dir / "no/such/folder.graph";
  EXPECT_EQ(error_of([&] { save_graph(*graph, nowhere); }),
            nowhere.string() + ": cannot write here: No such file or directory");
  EXPECT_EQ(error_of([&] { save_graph(*graph, dir.path()); }),
            dir.path().string() + ": cannot write here: it is a folder");
}

}  // namespace
}  // namespace grimace
