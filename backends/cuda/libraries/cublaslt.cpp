// Matrix products by cuBLASLt.
//
// Its matrices are column-major, and a row-major [r,c] is a column-major [c,r] without moving a
// byte: so it is asked for y^T = op(b)^T op(a)^T, with b as its first operand. Row-major layouts
// (CUBLASLT_ORDER_ROW) would say the same, but its bias runs along the rows of its result, which is
// our last axis only this way round.
//
// Repeatable: sums over k are split at most in parts that stay f32 in the workspace and are added
// in a step of their own; schemes that add into the result, or round the parts, are refused.
#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "backends/cuda/kernels/product_tail.h"
#include "backends/cuda/libraries/cublaslt_device.h"
#include "backends/cuda/libraries/cublaslt_library.h"
#include "backends/cuda/matmul.h"
#include "runtime/log.h"

namespace grimace::cuda {
namespace {

using Candidates = std::vector<cublasLtMatmulHeuristicResult_t>;

constexpr int kCandidates = 8;
constexpr int kRepeats = 3;
constexpr uint32_t kAlignment = 64;  // of every operand, in bytes
constexpr uint64_t kWorkspaceAlignment = 256;
constexpr uint32_t kReductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
static_assert(sizeof(cublasLtMatmulAlgo_t) == sizeof(AlgorithmCache::Algorithm));

cudaDataType data_type(DType dtype) {
  if (dtype == DType::bf16) return CUDA_R_16BF;
  return dtype == DType::f16 ? CUDA_R_16F : CUDA_R_32F;
}

// What NVIDIA recommends.
int64_t library_workspace(const Properties& properties) {
  return int64_t{properties.capability >= 90 ? 32 : 4} << 20;
}

class CublasLtMatmul final : public Matmul {
 public:
  CublasLtMatmul(const MatmulSpec& spec, const MatmulOperands& operands, const Context& context,
                 std::string node_text);
  void prepare() override;
  void run(cudaStream_t stream) override;

 private:
  void describe();
  void describe_epilogue();
  void set(cublasLtMatmulDescAttributes_t attribute, const auto& value);
  cublasLtMatrixLayoutOpaque_t layout(DType dtype, int64_t rows, int64_t cols, int64_t stride);

  bool choose();
  bool choose_known(const std::string& key);
  Candidates candidates();
  bool repeatable(const cublasLtMatmulAlgo_t& algorithm);
  void load(const std::string& key);
  void choose_fastest(const std::string& key, const Candidates& from);

  void enqueue(cudaStream_t stream, const cublasLtMatmulAlgo_t& algorithm, void* y);
  void check_status(cublasStatus_t status, const char* what) {
    check_cublaslt(status, what, node_text_);
  }
  int64_t y_elements() const { return spec_.batch * spec_.m * spec_.n; }
  bool rounds_bias() const { return spec_.bias && spec_.result != DType::f32; }
  // The library's part of the workspace; the rounded bias follows.
  std::byte* scratch() const {
    const auto address = reinterpret_cast<uintptr_t>(workspace_->as<void>());
    return reinterpret_cast<std::byte*>((address + kWorkspaceAlignment - 1) / kWorkspaceAlignment *
                                        kWorkspaceAlignment);
  }
  void* rounded_bias() const { return scratch() + library_bytes_; }
  // Trial runs write here: y may already hold a parameter.
  DeviceBuffer trial_result() const { return DeviceBuffer(y_elements() * size_of(spec_.result)); }

  MatmulSpec spec_;  // bias: in the library's epilogue
  MatmulOperands operands_;
  std::shared_ptr<Workspace> workspace_;
  std::string node_text_;
  int64_t library_bytes_;
  ProductTail tail_;  // the bias, where the library does not take it

  CublasLtDevice* device_ = nullptr;  // of prepare()
  cublasLtMatmulDescOpaque_t operation_{};
  cublasLtMatrixLayoutOpaque_t a_{}, b_{}, y_{};
  cublasLtMatmulAlgo_t algorithm_{};
};

CublasLtMatmul::CublasLtMatmul(const MatmulSpec& spec, const MatmulOperands& operands,
                               const Context& context, std::string node_text)
    : spec_(spec),
      operands_(operands),
      workspace_(context.workspace),
      node_text_(std::move(node_text)),
      library_bytes_(library_workspace(context.properties)),
      tail_{.dtype = spec.result,
            .rows = spec.batch * spec.m,
            .cols = spec.n,
            .bias = operands.bias,
            .y = operands.y,
            .multiprocessors = context.properties.multiprocessors} {
  check(spec.batch <= std::numeric_limits<int32_t>::max(), node_text_, ": a batch of ", spec.batch,
        " products; cuBLASLt takes at most ", std::numeric_limits<int32_t>::max());
  workspace_->reserve(kWorkspaceAlignment + library_bytes_ +
                      (rounds_bias() ? spec.n * size_of(spec.result) : 0));
}

// ---- What is to be computed --------------------------------------------------------------------

void CublasLtMatmul::set(cublasLtMatmulDescAttributes_t attribute, const auto& value) {
  check_status(cublaslt().MatmulDescSetAttribute(&operation_, attribute, &value, sizeof value),
               "describing a product");
}

// Of row-major [rows,cols], one after the other in a batch; `stride` elements apart.
cublasLtMatrixLayoutOpaque_t CublasLtMatmul::layout(DType dtype, int64_t rows, int64_t cols,
                                                    int64_t stride) {
  cublasLtMatrixLayoutOpaque_t result{};
  check_status(cublaslt().MatrixLayoutInit_internal(&result, sizeof result, data_type(dtype),
                                                    static_cast<uint64_t>(cols),
                                                    static_cast<uint64_t>(rows), cols),
               "describing a matrix");
  if (spec_.batch == 1) return result;
  const auto batch = static_cast<int32_t>(spec_.batch);
  check_status(cublaslt().MatrixLayoutSetAttribute(&result, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
                                                   &batch, sizeof batch),
               "describing a batch");
  check_status(cublaslt().MatrixLayoutSetAttribute(
                   &result, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride),
               "describing a batch");
  return result;
}

void CublasLtMatmul::describe() {
  const MatmulSpec& s = spec_;
  const auto compute = s.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  check_status(
      cublaslt().MatmulDescInit_internal(&operation_, sizeof operation_, compute, CUDA_R_32F),
      "describing a product");
  const auto operation = [](bool transposed) -> int32_t {
    return transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, operation(s.transpose_b));
  set(CUBLASLT_MATMUL_DESC_TRANSB, operation(s.transpose_a));
  a_ = layout(s.operand, s.transpose_a ? s.k : s.m, s.transpose_a ? s.m : s.k, s.m * s.k);
  b_ = layout(s.operand, s.transpose_b ? s.n : s.k, s.transpose_b ? s.k : s.n,
              s.shared_b ? 0 : s.k * s.n);
  y_ = layout(s.result, s.m, s.n, s.m * s.n);
  describe_epilogue();
}

// The library's bias has the type of its result, so ours is rounded to 16 bits where that is.
void CublasLtMatmul::describe_epilogue() {
  set(CUBLASLT_MATMUL_DESC_EPILOGUE,
      static_cast<uint32_t>(spec_.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT));
  if (!spec_.bias) return;
  const void* bias = rounds_bias() ? rounded_bias() : operands_.bias;
  set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<int32_t>(data_type(spec_.result)));
}

// ---- How it is to be computed ------------------------------------------------------------------

void CublasLtMatmul::prepare() {
  device_ = &cublaslt_device(node_text_);
  describe();
  if (choose()) return;
  // No algorithm with this bias: it is added in a pass of its own.
  tail_.add_bias = std::exchange(spec_.bias, false);
  describe_epilogue();
  if (!tail_.add_bias || !choose())
    throw RunError(cat("cuBLASLt ", cublaslt().GetVersion(), " has no algorithm for ", node_text_,
                       " (", to_string(spec_), "); use --backend cpu"));
}

bool CublasLtMatmul::choose() {
  const std::string key = to_string(spec_);
  if (choose_known(key)) {
    load(key);
    return true;
  }
  const Candidates found = candidates();
  if (found.empty()) return false;
  algorithm_ = found[0].algo;
  choose_fastest(key, found);
  return true;
}

// The cache is a file that anybody may have written.
bool CublasLtMatmul::choose_known(const std::string& key) {
  const auto known = device_->cache.find(key);
  if (!known) return false;
  cublasLtMatmulAlgo_t algorithm;
  std::memcpy(&algorithm, known->data(), sizeof algorithm);
  cublasLtMatmulHeuristicResult_t result{};
  const cublasStatus_t status = cublaslt().MatmulAlgoCheck(device_->handle, &operation_, &b_, &a_,
                                                           &y_, &y_, &algorithm, &result);
  if (status != CUBLAS_STATUS_SUCCESS || !repeatable(algorithm) ||
      result.workspaceSize > static_cast<size_t>(library_bytes_))
    return false;
  algorithm_ = algorithm;
  return true;
}

bool CublasLtMatmul::repeatable(const cublasLtMatmulAlgo_t& algorithm) {
  uint32_t scheme = 0;
  size_t written = 0;
  const cublasStatus_t status = cublaslt().MatmulAlgoConfigGetAttribute(
      &algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &scheme, sizeof scheme, &written);
  return status == CUBLAS_STATUS_SUCCESS && (scheme & ~kReductions) == 0;
}

Candidates CublasLtMatmul::candidates() {
  cublasLtMatmulPreferenceOpaque_t preference{};
  check_status(cublaslt().MatmulPreferenceInit_internal(&preference, sizeof preference),
               "stating preferences");
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check_status(
        cublaslt().MatmulPreferenceSetAttribute(&preference, attribute, &value, sizeof value),
        "stating preferences");
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(library_bytes_));
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, kReductions);
  for (const auto attribute :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    prefer(attribute, kAlignment);
  Candidates found(kCandidates);
  int count = 0;
  const cublasStatus_t status =
      cublaslt().MatmulAlgoGetHeuristic(device_->handle, &operation_, &b_, &a_, &y_, &y_,
                                        &preference, kCandidates, found.data(), &count);
  // Whatever it has against the bias, prepare() tries without.
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || (spec_.bias && status != CUBLAS_STATUS_SUCCESS))
    return {};
  check_status(status, "looking for an algorithm");
  found.resize(static_cast<size_t>(count));
  std::erase_if(found, [&](const cublasLtMatmulHeuristicResult_t& result) {
    return result.state != CUBLAS_STATUS_SUCCESS || !repeatable(result.algo);
  });
  if (found.empty() && count > 0)
    warn(cat("cuBLASLt offered ", count, " algorithms for ", node_text_,
             ", none of them repeatable"));
  return found;
}

// Runs a known algorithm once, so that its code is on the device before a stream is captured.
void CublasLtMatmul::load(const std::string& key) {
  if (workspace_->as<void>() == nullptr || device_->loaded.contains(key)) return;
  const DeviceBuffer y = trial_result();
  if (y.data() == nullptr) return;
  device_->timer.run_once([&](cudaStream_t stream) { enqueue(stream, algorithm_, y.data()); });
  device_->loaded.insert(key);
}

// The first candidate, the library's own choice, stays where there is no memory to try them in.
void CublasLtMatmul::choose_fastest(const std::string& key, const Candidates& from) {
  if (workspace_->as<void>() == nullptr) return;
  const DeviceBuffer y = trial_result();
  if (y.data() == nullptr) return;
  double best = std::numeric_limits<double>::infinity();
  for (const cublasLtMatmulHeuristicResult_t& candidate : from) {
    try {
      const double seconds = device_->timer.seconds(
          [&](cudaStream_t stream) { enqueue(stream, candidate.algo, y.data()); }, kRepeats);
      if (seconds >= best) continue;
      best = seconds;
      algorithm_ = candidate.algo;
    } catch (const RunError&) {
      // Promised, but refused when run: one choice less. A device that has failed for good fails
      // again below.
      cudaGetLastError();
    }
  }
  if (best == std::numeric_limits<double>::infinity())
    return device_->timer.run_once(
        [&](cudaStream_t stream) { enqueue(stream, algorithm_, y.data()); });
  device_->loaded.insert(key);
  AlgorithmCache::Algorithm bytes;
  std::memcpy(bytes.data(), &algorithm_, sizeof algorithm_);
  device_->cache.remember(key, bytes);
}

// ---- Computing it ------------------------------------------------------------------------------

void CublasLtMatmul::enqueue(cudaStream_t stream, const cublasLtMatmulAlgo_t& algorithm, void* y) {
  const float alpha = 1.0f;
  const float beta = spec_.residual ? 1.0f : 0.0f;
  const void* c = spec_.residual ? operands_.residual : y;
  check_status(cublaslt().Matmul(device_->handle, &operation_, &alpha, operands_.b, &b_,
                                 operands_.a, &a_, &beta, c, &y_, y, &y_, &algorithm, scratch(),
                                 static_cast<size_t>(library_bytes_), stream),
               "a product");
}

void CublasLtMatmul::run(cudaStream_t stream) {
  internal_check(device_ != nullptr, node_text_, " runs before it was prepared");
  device_->cache.save();  // the first run comes after every prepare()
  if (rounds_bias()) {
    launch_round(operands_.bias, spec_.n, spec_.result, rounded_bias(), stream);
    describe_epilogue();  // the workspace may have been placed since prepare()
  }
  enqueue(stream, algorithm_, operands_.y);
  launch_product_tail(tail_, stream);
}

}  // namespace

std::unique_ptr<Matmul> make_matmul(const MatmulSpec& spec, const MatmulOperands& operands,
                                    const Context& context, std::string node_text) {
  return std::make_unique<CublasLtMatmul>(spec, operands, context, std::move(node_text));
}

}  // namespace grimace::cuda
