// Every golden file on the cuda backend, in every precision it has.
#include <gtest/gtest.h>

#include <algorithm>

#include "backends/cuda/cuda_backend.h"
#include "tests/testing.h"
#include "tools/golden.h"

namespace grimace {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> golden_files() {
  std::vector<fs::path> folders{testing::repository_dir() / "tests" / "golden"};
  if (const auto shared = testing::shared_dir()) folders.push_back(*shared / "golden");
  std::vector<fs::path> files;
  for (const fs::path& folder : folders)
    for (const auto& entry : fs::directory_iterator(folder)) {
      const bool known = std::ranges::any_of(
          files, [&](const fs::path& file) { return file.filename() == entry.path().filename(); });
      if (entry.path().extension() == ".safetensors" && !known) files.push_back(entry.path());
    }
  std::ranges::sort(files);
  return files;
}

class CudaGolden : public ::testing::TestWithParam<std::tuple<fs::path, Precision>> {};
INSTANTIATE_TEST_SUITE_P(, CudaGolden,
                         ::testing::Combine(::testing::ValuesIn(golden_files()),
                                            ::testing::Values(Precision::f32, Precision::tf32,
                                                              Precision::bf16)),
                         [](const auto& info) {
                           return cat(std::get<0>(info.param).stem().string(), "_in_",
                                      name_of(std::get<1>(info.param)));
                         });

TEST_P(CudaGolden, is_reproduced) {
  const auto& [path, precision] = GetParam();
  const auto backend = cuda::make_cuda_backend();
  if (const std::string why = backend->unavailable(); !why.empty()) GTEST_SKIP() << why;
  const GoldenReport report =
      check_golden(SafetensorsFile(path), *backend, {.precision = precision});
  if (!report.skipped.empty()) GTEST_SKIP() << report.skipped;
  for (const GoldenRow& row : report.rows)
    EXPECT_TRUE(row.ok()) << row.tensor << ": " << row.measure << " error " << row.error
                          << " above " << row.limit;
  EXPECT_TRUE(report.ok());
  // Production shapes run on the fast kernels.
  if (path.stem().string().ends_with("_wide")) {
    EXPECT_EQ(report.slow_nodes, std::vector<std::string>{});
  }
}

}  // namespace
}  // namespace grimace
