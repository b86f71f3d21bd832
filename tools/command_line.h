// The whole program behind main: parses the command line, runs the command, and turns every
// failure into one line on stderr and an exit code (tools/commands.h).
#pragma once

namespace grimace {

int run_command_line(int argc, const char* const* argv);

}  // namespace grimace
