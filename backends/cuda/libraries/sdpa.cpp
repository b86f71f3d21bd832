// Attention by cuDNN's graph API, for bf16 and many tokens: q, k and v read in place from packed
// projections, gradients written likewise.
//
// The graph gives attention_grad neither y nor the softmax's log-sum-exp, so its kernel computes
// them again, into the workspace, before cuDNN's backward pass. That runs its deterministic
// algorithm, which on sm_90 keeps a 16-bit dP of all heads in the workspace.
//
// Which workspace a plan takes, and whether there is one, only a device can tell: without a device
// make_sdpa() returns nothing, and own kernels are planned.
#include "backends/cuda/sdpa.h"

#define CUDNN_FRONTEND_SKIP_JSON_LIB
#include <cudnn_frontend.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backends/cuda/libraries/device_timer.h"
#include "ir/ops/attention.h"
#include "runtime/log.h"

namespace grimace::cuda {
namespace {

namespace fe = cudnn_frontend;
using fe::graph::Tensor_attributes;
using Tensor = std::shared_ptr<Tensor_attributes>;
using Pointers = std::unordered_map<int64_t, void*>;
using ops::AttentionShape;

constexpr int64_t kMinTokens = 128;  // of queries and of keys: below, own kernels
constexpr int64_t kMaxWidth = 128;
constexpr int64_t kElement = 2;  // bytes of a bf16
// The part of the device's memory that one plan may take as workspace.
constexpr int64_t kWorkspaceShare = 16;

enum Uid : int64_t { kQ = 1, kK, kV, kY, kStats, kDy, kDq, kDk, kDv };

// A graph built for the device; null with why, where cuDNN has none.
struct Plan {
  std::shared_ptr<fe::graph::Graph> graph = {};
  int64_t workspace = 0;
  std::string why = {};
};

void check_cudnn(cudnnStatus_t status, const char* what) {
  if (status != CUDNN_STATUS_SUCCESS)
    throw RunError(cat("cuDNN failed in ", what, ": ", cudnnGetErrorString(status)));
}

// ---- Graphs ------------------------------------------------------------------------------------

// [batch, heads, rows, width] where a row of all heads has `columns` elements.
Tensor_attributes layout(const AttentionShape& s, Uid uid, int64_t rows, int64_t columns) {
  return Tensor_attributes()
      .set_uid(uid)
      .set_dim({s.batch, s.heads, rows, s.width})
      .set_stride({rows * columns, s.width, columns, 1})
      .set_data_type(fe::DataType_t::BFLOAT16);
}
Tensor_attributes stats_layout(const AttentionShape& s) {
  return Tensor_attributes()
      .set_uid(kStats)
      .set_dim({s.batch, s.heads, s.queries, 1})
      .set_stride({s.heads * s.queries, s.queries, 1, 1})
      .set_data_type(fe::DataType_t::FLOAT);
}
void set_output(const Tensor& tensor, const Tensor_attributes& as) {
  tensor->set_output(true)
      .set_uid(as.get_uid())
      .set_dim(as.get_dim())
      .set_stride(as.get_stride())
      .set_data_type(as.get_data_type());
}

std::shared_ptr<fe::graph::Graph> new_graph() {
  auto graph = std::make_shared<fe::graph::Graph>();
  graph->set_io_data_type(fe::DataType_t::BFLOAT16)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  return graph;
}

std::array<Tensor, 3> operands_of(fe::graph::Graph& graph, const AttentionShape& s) {
  return {graph.tensor(layout(s, kQ, s.queries, s.parts[0].columns)),
          graph.tensor(layout(s, kK, s.keys, s.parts[1].columns)),
          graph.tensor(layout(s, kV, s.keys, s.parts[2].columns))};
}

std::shared_ptr<fe::graph::Graph> forward_graph(const AttentionShape& s, double scale, bool stats,
                                                fe::AttentionImplementation_t as) {
  auto graph = new_graph();
  const auto [q, k, v] = operands_of(*graph, s);
  const auto [y, log_sum_exp] = graph->sdpa(q, k, v,
                                            fe::graph::SDPA_attributes()
                                                .set_name("sdpa")
                                                .set_generate_stats(stats)
                                                .set_implementation(as)
                                                .set_attn_scale(static_cast<float>(scale)));
  set_output(y, layout(s, kY, s.queries, s.dim()));
  if (stats) set_output(log_sum_exp, stats_layout(s));
  return graph;
}

std::shared_ptr<fe::graph::Graph> backward_graph(const AttentionShape& s, double scale) {
  auto graph = new_graph();
  const auto [q, k, v] = operands_of(*graph, s);
  const auto [dq, dk, dv] = graph->sdpa_backward(
      q, k, v, graph->tensor(layout(s, kY, s.queries, s.dim())),
      graph->tensor(layout(s, kDy, s.queries, s.dim())), graph->tensor(stats_layout(s)),
      fe::graph::SDPA_backward_attributes()
          .set_name("sdpa_backward")
          .set_attn_scale(static_cast<float>(scale))
          .set_deterministic_algorithm(true));
  set_output(dq, layout(s, kDq, s.queries, s.parts[0].columns));
  set_output(dk, layout(s, kDk, s.keys, s.parts[1].columns));
  set_output(dv, layout(s, kDv, s.keys, s.parts[2].columns));
  return graph;
}

// ---- The device --------------------------------------------------------------------------------

struct CudnnDevice {
  cudnnHandle_t handle = nullptr;
  std::map<std::string, Plan> plans;  // by what is computed: layers share them
};

// Of the current device; null where there is none.
CudnnDevice* cudnn_device() {
  int count = 0;
  int device = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
    cudaGetLastError();
    return nullptr;
  }
  check_cuda(cudaGetDevice(&device), "asking for the current device");
  // Never destroyed: at exit the CUDA runtime may be gone before us.
  static auto* const devices = new std::map<int, CudnnDevice>;
  static auto* const mutex = new std::mutex;
  const std::lock_guard lock(*mutex);
  CudnnDevice& entry = (*devices)[device];
  if (entry.handle == nullptr) check_cudnn(cudnnCreate(&entry.handle), "starting the library");
  return &entry;
}

Plan built(std::shared_ptr<fe::graph::Graph> graph, cudnnHandle_t handle) {
  Plan plan;
  auto status = graph->build(handle, {fe::HeurMode_t::A});
  if (status.is_good()) status = graph->get_workspace_size(plan.workspace);
  if (status.is_good())
    plan.graph = std::move(graph);
  else
    plan.why = status.get_message();
  return plan;
}

using MakeGraph = std::function<std::shared_ptr<fe::graph::Graph>()>;

// The first of the graphs that the library has an engine for.
const Plan& plan_for(CudnnDevice& device, const std::string& text,
                     std::initializer_list<MakeGraph> graphs) {
  const auto known = device.plans.find(text);
  if (known != device.plans.end()) return known->second;
  Plan& plan = device.plans[text];
  for (const MakeGraph& graph : graphs)
    if (plan.graph == nullptr) plan = built(graph(), device.handle);
  if (plan.graph == nullptr)
    inform(cat("cuDNN leaves ", text, " to own kernels: ", printable(plan.why)));
  return plan;
}

// ---- Kernels -----------------------------------------------------------------------------------

constexpr int64_t kAlignment = 256;  // of what lies in the workspace

int64_t aligned(int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}
std::byte* aligned_start(const Workspace& workspace) {
  const auto address = reinterpret_cast<intptr_t>(workspace.as<void>());
  return reinterpret_cast<std::byte*>(aligned(address));
}

// One plan with its operands. Those in the workspace are offsets: it is placed later.
struct Call {
  Plan plan;
  Pointers fixed;
  std::map<int64_t, int64_t> in_workspace;
  int64_t scratch = 0;  // where in the workspace the plan's own begins

  void run(cudnnHandle_t handle, const Workspace& workspace, const Pointers& instead,
           const std::string& node_text) const {
    std::byte* base = aligned_start(workspace);
    Pointers pointers = instead;
    pointers.insert(fixed.begin(), fixed.end());
    for (const auto& [uid, offset] : in_workspace) pointers[uid] = base + offset;
    auto status = plan.graph->execute(handle, pointers, base + scratch);
    if (!status.is_good())
      throw RunError(cat("cuDNN failed for ", node_text, ": ", status.get_message()));
  }
};

struct Attention {
  cudnnHandle_t handle = nullptr;
  std::shared_ptr<Workspace> workspace;
  std::vector<Call> calls;
  std::string node_text;
  struct Result {
    int64_t bytes = 0;
    std::vector<std::pair<int64_t, int64_t>> parts;  // uid, offset in bytes
  };
  std::vector<Result> results;

  void run(cudaStream_t stream, const Pointers& instead = {}) const {
    check_cudnn(cudnnSetStream(handle, stream), "setting its stream");
    for (const Call& call : calls) call.run(handle, *workspace, instead, node_text);
  }

  // Once into memory of its own, so that all code is on the device before a stream is captured.
  void prepare() const {
    if (workspace->as<void>() == nullptr) return;
    std::vector<std::unique_ptr<DeviceBuffer>> buffers;
    Pointers instead;
    for (const Result& result : results) {
      buffers.push_back(std::make_unique<DeviceBuffer>(result.bytes));
      if (buffers.back()->data() == nullptr) return;
      for (const auto& [uid, offset] : result.parts)
        instead[uid] = static_cast<std::byte*>(buffers.back()->data()) + offset;
    }
    DeviceTimer().run_once([&](cudaStream_t stream) { run(stream, instead); });
    check_cudnn(cudnnSetStream(handle, nullptr), "setting its stream");  // the timer's has ended
  }
};

// q, k and v, or their gradients, from the tensors that hold them.
void add_parts(Call& call, const AttentionShape& s, const std::array<Uid, 3>& uids,
               const auto& tensors) {
  for (size_t i = 0; i < 3; ++i) {
    const auto& part = s.parts[i];
    auto* base = static_cast<const std::byte*>(tensors[static_cast<size_t>(part.input)].data);
    call.fixed[uids[i]] = const_cast<std::byte*>(base) + part.column * kElement;
  }
}

void forward(Attention& a, const AttentionShape& s, const Plan& plan, const Operands& operands) {
  Call call{.plan = plan, .fixed = {}, .in_workspace = {}};
  add_parts(call, s, {kQ, kK, kV}, operands.in);
  call.fixed[kY] = operands.out[0].data;
  a.results.push_back({operands.out[0].type.bytes(), {{kY, 0}}});
  a.calls.push_back(std::move(call));
  a.workspace->reserve(kAlignment + plan.workspace);
}

void backward(Attention& a, const AttentionShape& s, const Plan& again, const Plan& plan,
              const Operands& operands) {
  const int64_t stats = aligned(s.batch * s.queries * s.dim() * kElement);
  const int64_t scratch =
      stats + aligned(s.batch * s.heads * s.queries * static_cast<int64_t>(sizeof(float)));
  for (const Plan& each : {again, plan}) {
    Call call{
        .plan = each, .fixed = {}, .in_workspace = {{kY, 0}, {kStats, stats}}, .scratch = scratch};
    add_parts(call, s, {kQ, kK, kV}, operands.in);
    a.calls.push_back(std::move(call));
    a.workspace->reserve(kAlignment + scratch + each.workspace);
  }
  add_parts(a.calls[1], s, {kDq, kDk, kDv}, operands.out);
  a.calls[1].fixed[kDy] = const_cast<void*>(operands.in.back().data);
  for (const View& out : operands.out) a.results.push_back({out.type.bytes(), {}});
  for (size_t i = 0; i < 3; ++i)
    a.results[static_cast<size_t>(s.parts[i].input)].parts.push_back(
        {std::array{kDq, kDk, kDv}[i], s.parts[i].column * kElement});
}

// NaN is what the gradient on Hopper may give where the last of its tiles of 128 keys is half full:
// cudnn-frontend, pull request 628.
bool is_safe(const AttentionShape& s, bool is_gradient, const Properties& device) {
  return !is_gradient || device.capability / 10 != 9 || s.keys % 128 != 64;
}

bool fits(const Node& node, const AttentionShape& s) {
  return node.in(0).dtype == DType::bf16 && s.width % 8 == 0 && s.width <= kMaxWidth &&
         s.batch > 0 && s.queries >= kMinTokens && s.keys >= kMinTokens;
}

std::string describe(const AttentionShape& s, double scale) {
  return cat("bf16 ", s.batch, "x", s.heads, " heads of ", s.width, ", ", s.queries, " by ", s.keys,
             ", scale ", scale, ", row strides ", s.parts[0].columns, " ", s.parts[1].columns, " ",
             s.parts[2].columns);
}

}  // namespace

std::optional<GpuKernel> make_sdpa(const Node& node, const Operands& operands,
                                   const Context& context) {
  const bool is_gradient = node.is(op_attention_grad);
  const AttentionShape s = ops::attention_shape(node, node.num_inputs() - (is_gradient ? 1 : 0));
  if (!fits(node, s) || !is_safe(s, is_gradient, context.properties)) return std::nullopt;
  CudnnDevice* device = cudnn_device();
  if (device == nullptr) return std::nullopt;

  const double scale = node.real("scale");
  const std::string text = describe(s, scale);
  const auto attention = std::make_shared<Attention>();
  attention->handle = device->handle;
  attention->workspace = context.workspace;
  attention->node_text = node.describe();
  const std::string name = cat(is_gradient ? "attention with statistics" : "attention", " ", text);
  // The frontend chooses by versions alone, and not every device has the engine of its choice.
  const auto ahead_as = [&](fe::AttentionImplementation_t as) {
    return [&, as] { return forward_graph(s, scale, is_gradient, as); };
  };
  const Plan& ahead = plan_for(*device, name,
                               {ahead_as(fe::AttentionImplementation_t::AUTO),
                                ahead_as(fe::AttentionImplementation_t::COMPOSITE)});
  const Plan back = !is_gradient ? Plan{.graph = ahead.graph}
                                 : plan_for(*device, cat("the gradient of attention ", text),
                                            {[&] { return backward_graph(s, scale); }});
  const int64_t most = context.properties.memory_bytes / kWorkspaceShare;
  if (ahead.graph == nullptr || back.graph == nullptr ||
      std::max(ahead.workspace, back.workspace) > most)
    return std::nullopt;
  if (is_gradient)
    backward(*attention, s, ahead, back, operands);
  else
    forward(*attention, s, ahead, operands);
  return GpuKernel{
      .name = cat(is_gradient ? "cuDNN sdpa and sdpa_backward, " : "cuDNN sdpa, ", text),
      .run = [attention](cudaStream_t stream) { attention->run(stream); },
      .prepare = [attention] { attention->prepare(); }};
}

}  // namespace grimace::cuda
