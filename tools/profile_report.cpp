#include "tools/profile_report.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "ir/op_def.h"
#include "runtime/atomic_file.h"
#include "tools/graph_stats.h"
#include "tools/table.h"

namespace grimace {
namespace {

constexpr size_t kMostRows = 40;

std::string name_of_event(const Profile::Event& event) {
  return event.node != nullptr ? std::string(event.node->op_name()) : "(copy updates)";
}

// "grad/encoder/blocks.3/mlp" -> "grad/encoder/blocks/mlp"; "grad" does not count as a level.
std::string stage_of_event(const Profile::Event& event) {
  constexpr std::string_view kBackward = "grad/";
  if (event.node == nullptr) return name_of_event(event);
  const std::string& scope = event.node->scope();
  if (!scope.starts_with(kBackward)) return stage_of(scope);
  return std::string(kBackward) + stage_of(scope.substr(kBackward.size()));
}

// "f32[8x4], f32[4] -> f32[8x4]"; of many inputs the first three.
std::string types_of(const Node* node) {
  constexpr int kMost = 3;
  if (node == nullptr) return "";
  std::string text;
  for (int i = 0; i < std::min(node->num_inputs(), kMost); ++i)
    text += (i == 0 ? "" : ", ") + to_string(node->in(i));
  if (node->num_inputs() > kMost) text += cat(", ... (", node->num_inputs(), ")");
  return text + (text.empty() ? "-> " : " -> ") + to_string(node->out());
}

void add(ProfileRow& to, const ProfileRow& row) {
  to.count += row.count;
  to.seconds += row.seconds;
  to.flops += row.flops;
  to.bytes += row.bytes;
  to.least_seconds += row.least_seconds;
}

ProfileRow row_of(const Profile::Event& event, GroupBy group_by,
                  const std::optional<Peaks>& peaks) {
  ProfileRow row{.count = 1, .seconds = event.end - event.start};
  row.name = group_by == GroupBy::scope ? stage_of_event(event) : name_of_event(event);
  if (event.node == nullptr) return row;
  if (group_by == GroupBy::shapes) row.types = types_of(event.node);
  row.flops = static_cast<double>(flops_of(*event.node));
  row.bytes = static_cast<double>(bytes_of(*event.node));
  if (peaks) row.least_seconds = roofline_of(*event.node, *peaks).seconds();
  return row;
}

std::vector<const Profile::Run*> faster_half(const Profile& profile) {
  std::vector<const Profile::Run*> runs;
  for (const Profile::Run& run : profile.runs()) runs.push_back(&run);
  std::ranges::stable_sort(runs, {}, &Profile::Run::seconds);
  runs.resize((runs.size() + 1) / 2);
  return runs;
}

void divide(ProfileRow& row, double runs) {
  for (double* field : {&row.count, &row.seconds, &row.flops, &row.bytes, &row.least_seconds})
    *field /= runs;
}

std::vector<std::string> cells(const ProfileRow& row, double all_seconds, bool with_types) {
  const auto rate = [&](double amount) {
    return amount > 0 && row.seconds > 0 ? fixed(amount * 1e-9 / row.seconds, 1) : "";
  };
  std::vector<std::string> cells{row.name};
  if (with_types) cells.push_back(row.types);
  const double percent = roofline_percent(row);
  cells.insert(cells.end(), {fixed(row.count, 0), fixed(row.seconds * 1e3, 2),
                             fixed(100 * row.seconds / all_seconds, 1) + " %", rate(row.flops),
                             rate(row.bytes), percent > 0 ? fixed(percent, 0) + " %" : ""});
  return cells;
}

// One event; times in microseconds.
nlohmann::ordered_json trace_event(const std::string& name, double start, double end) {
  return {{"name", name}, {"ph", "X"},         {"pid", 1},
          {"tid", 1},     {"ts", start * 1e6}, {"dur", (end - start) * 1e6}};
}

nlohmann::ordered_json trace_event(const Profile::Event& event) {
  auto json = trace_event(name_of_event(event), event.start, event.end);
  if (event.node == nullptr) return json;
  json["args"] = {{"scope", event.node->scope()},
                  {"shapes", types_of(event.node)},
                  {"flops", flops_of(*event.node)},
                  {"bytes", bytes_of(*event.node)}};
  return json;
}

}  // namespace

ProfileTable profile_table(const Profile& profile, GroupBy group_by,
                           const std::optional<Peaks>& peaks) {
  internal_check(!profile.runs().empty(), "a profile without runs");
  std::map<std::pair<std::string, std::string>, ProfileRow> rows;
  ProfileRow between{.name = "(between nodes)"};
  const std::vector<const Profile::Run*> runs = faster_half(profile);
  for (const Profile::Run* run : runs) {
    between.seconds += run->seconds();
    for (const Profile::Event& event : run->events) {
      const ProfileRow row = row_of(event, group_by, peaks);
      add(rows.try_emplace({row.name, row.types}, ProfileRow{.name = row.name, .types = row.types})
              .first->second,
          row);
      between.seconds -= row.seconds;
    }
  }
  ProfileTable table{.total = {.name = "total"}};
  for (auto& [key, row] : rows) table.rows.push_back(std::move(row));
  table.rows.push_back(between);
  for (ProfileRow& row : table.rows) {
    divide(row, static_cast<double>(runs.size()));
    add(table.total, row);
  }
  std::ranges::stable_sort(table.rows, std::ranges::greater(), &ProfileRow::seconds);
  return table;
}

std::string profile_text(const ProfileTable& table, GroupBy group_by, size_t most) {
  const bool with_types = group_by == GroupBy::shapes;
  std::vector<std::string> header{group_by == GroupBy::scope ? "scope" : "op"};
  if (with_types) header.push_back("types");
  header.insert(header.end(), {"nodes", "ms", "share", "GFLOP/s", "GB/s", "of roofline"});
  Table text(header, with_types ? std::vector<size_t>{0, 1} : std::vector<size_t>{0});
  ProfileRow rest;
  size_t shown = 0, left_out = 0;
  for (const ProfileRow& row : table.rows) {
    if (shown < most && ++shown)
      text.row(cells(row, table.total.seconds, with_types));
    else if (++left_out)
      add(rest, row);
  }
  rest.name = cat("(", left_out, " more rows)");
  if (left_out > 0) text.row(cells(rest, table.total.seconds, with_types));
  text.rule();
  text.row(cells(table.total, table.total.seconds, with_types));
  return text.text();
}

double roofline_percent(const ProfileRow& row) {
  return row.seconds > 0 ? 100 * row.least_seconds / row.seconds : 0.0;
}

std::string profile_heading(const Profile& profile, const std::optional<Peaks>& peaks) {
  std::string text = cat("Where the time of a step goes, as means of the faster half of ",
                         profile.runs().size(), " steps\n");
  if (peaks)
    text += cat("Roofline: ", fixed(peaks->f32_flops * 1e-9, 0), " GFLOP/s in f32, ",
                fixed(peaks->bf16_flops * 1e-9, 0), " in bf16, ", fixed(peaks->bytes * 1e-9, 1),
                " GB/s, measured in this run\n");
  return text;
}

std::string profile_report(const Profile& profile, const std::optional<Peaks>& peaks) {
  std::string text = profile_heading(profile, peaks);
  for (const GroupBy group_by : {GroupBy::scope, GroupBy::op})
    text += "\n" + profile_text(profile_table(profile, group_by, peaks), group_by, kMostRows);
  return text;
}

void write_trace(const Profile& profile, const std::filesystem::path& file) {
  AtomicFile out(file);
  out.write(R"({"displayTimeUnit":"ms","traceEvents":[)"
            R"({"name":"thread_name","ph":"M","pid":1,"tid":1,"args":{"name":"nodes"}})");
  size_t number = 0;
  for (const Profile::Run& run : profile.runs()) {
    std::string text = ",\n" + trace_event(cat("step ", number++), run.start, run.end).dump();
    for (const Profile::Event& event : run.events) text += ",\n" + trace_event(event).dump();
    out.write(text);
  }
  out.write("]}\n");
  out.commit();
}

}  // namespace grimace
