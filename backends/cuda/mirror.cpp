#include "backends/cuda/mirror.h"

#include <cstring>

#include "runtime/tensor.h"

namespace grimace::cuda {
namespace {

constexpr size_t kPlace = 16;  // bytes for a scalar of any type

}  // namespace

void Mirror::add(const std::string& name, const TensorType& type, const std::byte* device) {
  index_[name] = scalars_.size();
  scalars_.push_back({type, device, scalars_.size() * kPlace});
}

void Mirror::add_fault_flag(Faults& faults) {
  faults_ = &faults;
  flag_ = allocate_device(sizeof(int));
  clear_flag();
  faults.place(static_cast<int*>(flag_.get()));
  add("", {DType::i32, {}}, static_cast<const std::byte*>(flag_.get()));
}

// Memory is set on a stream that others do not wait for, so everybody waits.
void Mirror::clear_flag() {
  check_cuda(cudaDeviceSynchronize(), "clearing the fault flag");
  check_cuda(cudaMemset(flag_.get(), 0, sizeof(int)), "clearing the fault flag");
  check_cuda(cudaDeviceSynchronize(), "clearing the fault flag");
}

void Mirror::allocate() {
  pinned_ = allocate_pinned(static_cast<int64_t>(2 * kPlace * scalars_.size()));
  for (Event& event : done_) event = make_event();
}

std::byte* Mirror::slot(int64_t run) const {
  const size_t bytes = kPlace * scalars_.size();
  return static_cast<std::byte*>(pinned_.get()) + static_cast<size_t>(run % 2) * bytes;
}

void Mirror::update(cudaStream_t stream) {
  wait(runs_ - 1);  // its slot is written again; so no more than two runs are ever under way
  ++runs_;
  for (const Scalar& scalar : scalars_)
    check_cuda(
        cudaMemcpyAsync(slot(runs_) + scalar.place, scalar.device,
                        static_cast<size_t>(scalar.type.bytes()), cudaMemcpyDeviceToHost, stream),
        "reading a result");
  check_cuda(cudaEventRecord(done_[static_cast<size_t>(runs_ % 2)].get(), stream),
             "marking the end of a step");
}

void Mirror::wait(int64_t run) {
  if (run <= 0) return;
  const cudaError_t status = cudaEventSynchronize(done_[static_cast<size_t>(run % 2)].get());
  if (status != cudaSuccess)
    throw RunError(cat("CUDA failed while a step ran: ", cudaGetErrorString(status),
                       "; run again with GRIMACE_CUDA_CHECK=1 to have the node named"));
  int fault = 0;
  std::memcpy(&fault, slot(run) + scalars_[index_.at("")].place, sizeof fault);
  if (fault == 0) return;
  clear_flag();
  throw RunError(faults_->message(fault));
}

std::function<double()> Mirror::read_later(const std::string& name) {
  const auto found = index_.find(name);
  check(found != index_.end(), "the graph has no scalar output '", name, "'");
  return [this, run = runs_, which = found->second] {
    internal_check(run + 2 > runs_, "a result was asked for two runs late");
    wait(run);
    double value = 0.0;
    const Scalar& scalar = scalars_[which];
    convert({scalar.type, slot(run) + scalar.place}, {{DType::f64, scalar.type.shape}, &value});
    return value;
  };
}

}  // namespace grimace::cuda
