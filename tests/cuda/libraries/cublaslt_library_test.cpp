// Loading a library takes no GPU.
#include "backends/cuda/libraries/cublaslt_library.h"

#include <gtest/gtest.h>

namespace grimace::cuda {
namespace {

TEST(CublasLtLibrary, IsLoadedWithEveryFunctionAndInTheVersionOfItsHeader) {
  const CublasLtLibrary& library = cublaslt();
#define GRIMACE_EXPECT(name) EXPECT_NE(library.name, nullptr) << #name;
  GRIMACE_CUBLASLT_FUNCTIONS(GRIMACE_EXPECT)
#undef GRIMACE_EXPECT
  EXPECT_EQ(library.GetVersion() / 10000, size_t{CUBLAS_VER_MAJOR});
  EXPECT_STRNE(library.GetStatusString(CUBLAS_STATUS_NOT_SUPPORTED),
               library.GetStatusString(CUBLAS_STATUS_SUCCESS));
}

}  // namespace
}  // namespace grimace::cuda
