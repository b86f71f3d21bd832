// cuBLASLt, loaded when a GPU first multiplies. Linked in, it would cost every start of the
// program 0.2 s and 200 MB of memory, on machines without a GPU too.
#pragma once

#include <cublasLt.h>

namespace grimace::cuda {

// Its functions, by their names without "cublasLt".
#define GRIMACE_CUBLASLT_FUNCTIONS(X) \
  X(Create)                           \
  X(GetStatusString)                  \
  X(GetVersion)                       \
  X(Matmul)                           \
  X(MatmulAlgoCheck)                  \
  X(MatmulAlgoConfigGetAttribute)     \
  X(MatmulAlgoGetHeuristic)           \
  X(MatmulDescInit_internal)          \
  X(MatmulDescSetAttribute)           \
  X(MatmulPreferenceInit_internal)    \
  X(MatmulPreferenceSetAttribute)     \
  X(MatrixLayoutInit_internal)        \
  X(MatrixLayoutSetAttribute)

struct CublasLtLibrary {
#define GRIMACE_DECLARE(name) decltype(&::cublasLt##name) name = nullptr;
  GRIMACE_CUBLASLT_FUNCTIONS(GRIMACE_DECLARE)
#undef GRIMACE_DECLARE
};

// Loaded on the first call and kept until the process ends. RunError when it cannot be: what the
// system's loader said, and where it looked.
const CublasLtLibrary& cublaslt();

}  // namespace grimace::cuda
