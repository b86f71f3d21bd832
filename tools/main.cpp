// grimace: see tools/command_line.h.
#include "tools/command_line.h"

int main(int argc, char** argv) {
  return grimace::run_command_line(argc, argv);
}
