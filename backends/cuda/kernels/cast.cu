// y = x in another element type: floats round to nearest even, a float becomes an integer by
// truncation, anything but zero is true. 16-bit floats pass through f32.
#include "backends/cuda/kernels/elementwise.h"
#include "backends/cuda/kernels/map.h"

namespace grimace::cuda {
namespace {

template <typename To>
struct Convert {
  template <typename From>
  __device__ To operator()(From x) const {
    return static_cast<To>(x);
  }
};

}  // namespace

GpuKernel make_cast(const Node& node, const Operands& operands, const Context& context) {
  return with_element(node.in(0).dtype, [&](auto from) {
    return with_element(node.out().dtype, [&](auto to) {
      using To = decltype(to);
      return make_map<Convert<Wide<To>>, To, decltype(from)>(name_of_map(node), node, operands,
                                                             context);
    });
  });
}

}  // namespace grimace::cuda
