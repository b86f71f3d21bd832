#include "backends/cuda/libraries/cublaslt_library.h"

#include <dlfcn.h>

#include <string>

#include "ir/error.h"

namespace grimace::cuda {
namespace {

std::string last_problem() {
  const char* problem = dlerror();
  return problem == nullptr ? "no reason given" : problem;
}

// Where the system looks, then where the toolkit was when this program was built.
void* open_library() {
  const std::string name = cat("libcublasLt.so.", CUBLAS_VER_MAJOR);
  if (void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
  const std::string problem = last_problem();
  if (void* handle = dlopen(cat(GRIMACE_CUDA_LIBRARIES, "/", name).c_str(), RTLD_NOW | RTLD_LOCAL))
    return handle;
  throw RunError(cat("cuBLASLt, which computes products on GPUs, cannot be loaded: ", problem,
                     "; nor is it in ", GRIMACE_CUDA_LIBRARIES, ". Install the libraries of CUDA ",
                     CUBLAS_VER_MAJOR, ", or put their folder into LD_LIBRARY_PATH"));
}

CublasLtLibrary load() {
  void* const handle = open_library();
  const auto find = [handle](const char* name) {
    void* const function = dlsym(handle, name);
    if (function == nullptr)
      throw RunError(cat("the cuBLASLt that was loaded is not the one this program is made for: ",
                         last_problem()));
    return function;
  };
  CublasLtLibrary library;
#define GRIMACE_FIND(name) \
  library.name = reinterpret_cast<decltype(library.name)>(find("cublasLt" #name));
  GRIMACE_CUBLASLT_FUNCTIONS(GRIMACE_FIND)
#undef GRIMACE_FIND
  return library;
}

}  // namespace

const CublasLtLibrary& cublaslt() {
  static const CublasLtLibrary library = load();
  return library;
}

}  // namespace grimace::cuda
