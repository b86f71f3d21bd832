// Descriptors, attributes and execution of oneDNN matmuls; DNNL_VERSION_MAJOR tells 2.x from 3.x.
#include "backends/cpu/onednn.h"

#include <omp.h>

#include <cstring>
#include <dnnl.hpp>
#include <vector>

#include "ir/error.h"

namespace grimace::cpu {
namespace {

using dnnl::memory;
using Dims = memory::dims;

// Runs `call`, turning oneDNN's exceptions into ours with the node's text.
template <typename Call>
auto checked(std::string_view node_text, const Call& call) {
  try {
    return call();
  } catch (const dnnl::error& e) {
    throw RunError(cat(node_text, ": oneDNN ", onednn_version(), " failed: ", e.what(), " (status ",
                       static_cast<int>(e.status), ")"));
  }
}

// The engine, made after GRIMACE_ISA has capped the library's instruction sets.
dnnl::engine& cpu_engine() {
  static dnnl::engine engine = [] {
    switch (best_isa()) {
      case Isa::amx:
      case Isa::amx_emulated:  // only our own kernels are emulated
        break;                 // the machine's best: nothing to cap
      case Isa::avx512:
        dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core_bf16);
        break;
      case Isa::avx2:
        dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
        break;
      case Isa::sse2:
        dnnl::set_max_cpu_isa(dnnl::cpu_isa::sse41);
        break;
    }
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return engine;
}

bool flat(const MatmulSpec& s) {
  return s.batch == 1 || (s.shared_b && !s.transpose_a);
}

memory::data_type type_of(DType dtype) {
  return dtype == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
}

// [batch, rows, cols] without its batch axis where the product is flat.
memory::desc matrix(const MatmulSpec& s, memory::data_type type, int64_t batch, int64_t rows,
                    int64_t cols, bool transposed) {
  const Dims step{transposed ? 1 : cols, transposed ? rows : 1};
  if (flat(s)) return {{rows, cols}, type, step};
  return {{batch, rows, cols}, type, Dims{rows * cols, step[0], step[1]}};
}

struct Descriptors {
  memory::desc a, b, b_any, bias, residual, c;
};

Descriptors describe(const MatmulSpec& s) {
  const auto type = type_of(s.operand);
  const int64_t m = flat(s) ? s.batch * s.m : s.m;
  const int64_t b_batch = s.shared_b ? 1 : s.batch;
  Descriptors d;
  d.a = matrix(s, type, s.batch, m, s.k, s.transpose_a);
  d.b = matrix(s, type, b_batch, s.k, s.n, s.transpose_b);
  d.b_any = memory::desc(flat(s) ? Dims{s.k, s.n} : Dims{b_batch, s.k, s.n}, type,
                         memory::format_tag::any);
  d.c = matrix(s, type_of(s.result), s.batch, m, s.n, false);
  d.residual = matrix(s, memory::data_type::f32, s.batch, m, s.n, false);
  if (s.bias) {
    const Dims dims = flat(s) ? Dims{1, s.n} : Dims{1, 1, s.n};
    const Dims strides = flat(s) ? Dims{s.n, 1} : Dims{s.n, s.n, 1};
    d.bias = memory::desc(dims, memory::data_type::f32, strides);
  }
  return d;
}

dnnl::primitive_attr attributes(const MatmulSpec& s, const memory::desc& residual) {
  dnnl::post_ops post;
#if DNNL_VERSION_MAJOR >= 3
  if (s.epilogue == Epilogue::gelu)
    post.append_eltwise(dnnl::algorithm::eltwise_gelu_erf, 0.0f, 0.0f);
#else
  if (s.epilogue == Epilogue::gelu)
    post.append_eltwise(1.0f, dnnl::algorithm::eltwise_gelu_erf, 0.0f, 0.0f);
#endif
  if (s.epilogue == Epilogue::add) post.append_binary(dnnl::algorithm::binary_add, residual);
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_post_ops(post);
  return attr;
}

// Empty where oneDNN has no such primitive.
dnnl::matmul::primitive_desc primitive_for(const MatmulSpec& s, bool pack_b) {
  const Descriptors d = describe(s);
  const memory::desc& b = pack_b ? d.b_any : d.b;
  const dnnl::primitive_attr attr = attributes(s, d.residual);
  constexpr bool kAllowEmpty = true;
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), d.a, b, d.bias, d.c, attr, kAllowEmpty};
#else
  return {dnnl::matmul::desc(d.a, b, d.bias, d.c), attr, cpu_engine(), kAllowEmpty};
#endif
}

}  // namespace

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  return cat(v->major, ".", v->minor, ".", v->patch);
}

struct OneDnnMatmul::Impl {
  Impl(const MatmulSpec& spec, const MatmulOperands& operands, Packing wanted, const Context& cpu,
       std::string text)
      : threads(cpu.threads), workspace(cpu.workspace), node_text(std::move(text)) {
    omp_set_num_threads(threads);
    checked(node_text, [&] { prepare(spec, operands, wanted); });
  }

  void prepare(const MatmulSpec& spec, const MatmulOperands& operands, Packing wanted) {
    const Descriptors d = describe(spec);
    auto pd = primitive_for(spec, wanted != Packing::none);
    if (pd && wanted == Packing::in_place && pd.weights_desc().get_size() != d.b.get_size()) {
      wanted = Packing::none;
      pd = primitive_for(spec, false);
    }
    if (!pd) throw dnnl::error(dnnl_unimplemented, "no matmul primitive for these operands");
    implementation = pd.impl_info_str();
    primitive = dnnl::matmul(pd);
    dnnl::engine& engine = cpu_engine();
    stream = dnnl::stream(engine);
    const auto wrap = [&](const memory::desc& desc, const void* data) {
      return memory(desc, engine, const_cast<void*>(data));
    };
    a = wrap(d.a, operands.a);
    b = wrap(d.b, operands.b);
    used_b = b;
    if (wanted != Packing::none && pd.weights_desc() != d.b)
      prepare_packing(pd.weights_desc(), wanted);
    add(DNNL_ARG_SRC, a);
    add(DNNL_ARG_WEIGHTS, used_b);
    c = wrap(d.c, operands.c);
    add(DNNL_ARG_DST, c);
    if (spec.bias) add(DNNL_ARG_BIAS, wrap(d.bias, operands.bias));
    if (spec.epilogue == Epilogue::add)
      add(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, wrap(d.residual, operands.residual));
    workspace->reserve(static_cast<int64_t>(pd.scratchpad_desc().get_size()));
    scratchpad = wrap(pd.scratchpad_desc(), workspace->as<void>());
    add(DNNL_ARG_SCRATCHPAD, scratchpad);
  }

  // In place there is a buffer on the way: the workspace.
  void prepare_packing(const memory::desc& packed, Packing wanted) {
    packing = wanted;
    if (packing == Packing::in_place) {
      used_b = memory(packed, cpu_engine(), b.get_data_handle());
      from_packed = dnnl::reorder(used_b, b);
      workspace->reserve(static_cast<int64_t>(packed.get_size()));
    } else {
      used_b = memory(packed, cpu_engine());
    }
    to_packed = dnnl::reorder(b, used_b);
  }

  void reorder(dnnl::reorder& how, memory& from, memory& to) {
    void* const place = to.get_data_handle();
    if (packing == Packing::in_place) to.set_data_handle(workspace->as<void>());
    how.execute(stream, from, to);
    stream.wait();
    if (packing != Packing::in_place) return;
    to.set_data_handle(place);
    std::memcpy(place, workspace->as<void>(), to.get_desc().get_size());
  }

  void add(int name, const memory& value) {
    kept.push_back(value);
    arguments.push_back({name, value.get()});
  }

  int threads;
  std::shared_ptr<Workspace> workspace;
  std::string node_text;
  std::string implementation;
  dnnl::matmul primitive;
  Packing packing = Packing::none;
  dnnl::reorder to_packed, from_packed;
  dnnl::stream stream;
  memory a, b, c, used_b, scratchpad;
  std::vector<memory> kept;
  // The C call takes this array as it is; the C++ one would build it on the heap in every run.
  std::vector<dnnl_exec_arg_t> arguments;
};

bool OneDnnMatmul::fast_bf16(const MatmulSpec& spec, const Context& cpu) {
  omp_set_num_threads(cpu.threads);
  try {
    // Its other bf16 implementations (gemm, ref) convert inside and lose to f32.
    const auto pd = primitive_for(spec, false);
    return pd && std::string_view(pd.impl_info_str()).starts_with("brg");
  } catch (const dnnl::error&) {
    return false;
  }
}

OneDnnMatmul::OneDnnMatmul(const MatmulSpec& spec, const MatmulOperands& operands, Packing packing,
                           const Context& cpu, std::string node_text)
    : impl_(std::make_unique<Impl>(spec, operands, packing, cpu, std::move(node_text))) {}

OneDnnMatmul::~OneDnnMatmul() = default;

void OneDnnMatmul::pack() {
  if (impl_->packing == Packing::none) return;
  omp_set_num_threads(impl_->threads);
  checked(impl_->node_text, [&] { impl_->reorder(impl_->to_packed, impl_->b, impl_->used_b); });
}

void OneDnnMatmul::unpack() {
  if (impl_->packing != Packing::in_place) return;
  omp_set_num_threads(impl_->threads);
  checked(impl_->node_text, [&] { impl_->reorder(impl_->from_packed, impl_->used_b, impl_->b); });
}

void OneDnnMatmul::rebind(const void* a, const void* b, void* c) {
  checked(impl_->node_text, [&] {
    impl_->a.set_data_handle(const_cast<void*>(a));
    impl_->used_b.set_data_handle(const_cast<void*>(b));
    impl_->c.set_data_handle(c);
  });
}

void OneDnnMatmul::run() {
  omp_set_num_threads(impl_->threads);
  checked(impl_->node_text, [&] {
    impl_->scratchpad.set_data_handle(impl_->workspace->as<void>());
    dnnl::error::wrap_c_api(
        dnnl_primitive_execute(impl_->primitive.get(), impl_->stream.get(),
                               static_cast<int>(impl_->arguments.size()), impl_->arguments.data()),
        "could not execute the matmul");
    impl_->stream.wait();
  });
}

int64_t OneDnnMatmul::packed_bytes() const {
  const bool own = impl_->packing == Packing::own;
  return own ? static_cast<int64_t>(impl_->used_b.get_desc().get_size()) : 0;
}

Packing OneDnnMatmul::packing() const {
  return impl_->packing;
}

std::string_view OneDnnMatmul::implementation() const {
  return impl_->implementation;
}

}  // namespace grimace::cpu
