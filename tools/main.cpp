// grimace: see tools/command_line.h.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "tools/command_line.h"

namespace {

// Compute threads that wait for each other by spinning take the cores from the threads that decode
// video, and from everybody else on the machine: on two busy cores a step took 2.5 times as long.
// GNU's OpenMP reads how long to spin when it is loaded, before main, so the program starts itself
// once more with a short time. Whoever has set how threads wait is left alone, and so is who binds
// them to cores: the first start has by then bound this thread, and its second would see one core.
void shorten_spinning(char** argv) {
  for (const char* name :
       {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"})
    if (getenv(name) != nullptr) return;
  setenv("GOMP_SPINCOUNT", "10000", 1);
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) execv(self.c_str(), argv);  // where this fails, the program runs as it is
}

}  // namespace

int main(int argc, char** argv) {
  shorten_spinning(argv);
  return grimace::run_command_line(argc, argv);
}
