// What a profile says: tables of where the time went, and a trace for a timeline viewer.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runtime/profile.h"
#include "tools/peaks.h"

namespace grimace {

// Nodes that count as one row.
enum class GroupBy {
  scope,   // the part of the model, blocks merged: "grad/encoder/blocks/mlp"
  op,      // "linear"
  shapes,  // the op with its types: "linear", "f32[704x512], f32[2048x512] -> f32[704x2048]"
};

// Means over the faster half of the recorded runs: what other programs did to a few of them is left
// out.
struct ProfileRow {
  std::string name = {};
  std::string types = {};           // by shapes only
  double count = 0.0;               // nodes a run
  double seconds = 0.0;             // a run
  double flops = 0.0, bytes = 0.0;  // a run, as the ops define them
  double least_seconds = 0.0;       // a run, at the peaks; 0 without them
};

struct ProfileTable {
  std::vector<ProfileRow> rows =
      {};  // longest first; one is "(between nodes)". They sum to `total`
  ProfileRow total = {};
};

// InternalError without any run.
ProfileTable profile_table(const Profile& profile, GroupBy group_by,
                           const std::optional<Peaks>& peaks);
// ms, share, GFLOP/s, GB/s and, with peaks, the percentage of the roofline. `most` rows, the rest
// as one.
std::string profile_text(const ProfileTable& table, GroupBy group_by, size_t most);
// Percentage of the roofline; 0 without peaks.
double roofline_percent(const ProfileRow& row);

// What the tables are means of, and the peaks they refer to: one or two lines.
std::string profile_heading(const Profile& profile, const std::optional<Peaks>& peaks);
// The tables by scope and by op under their heading.
std::string profile_report(const Profile& profile, const std::optional<Peaks>& peaks);

// Writes every run and node as Chrome trace events (JSON; Perfetto and chrome://tracing open it).
// RunError naming the file.
void write_trace(const Profile& profile, const std::filesystem::path& file);

}  // namespace grimace
