#include "ir/passes/strided.h"

#include <algorithm>

#include "ir/passes/guards.h"

namespace grimace {
namespace {

constexpr size_t kMostSteps = 64;  // models have a handful; every reader walks them again

StridedView dense(Value v) {
  StridedView view{v, 0, v.shape().to_vector(), {}, 1.0};
  view.strides.resize(view.dims.size());
  int64_t stride = 1;
  for (size_t axis = view.dims.size(); axis-- > 0;) {
    view.strides[axis] = stride;
    stride *= view.dims[axis];
  }
  return view;
}

// Neighbours that are walked as one, and no axes of length 1.
void merge_axes(StridedView& view) {
  std::vector<int64_t> dims;
  std::vector<int64_t> strides;
  for (size_t axis = 0; axis < view.dims.size(); ++axis) {
    if (view.dims[axis] == 1) continue;
    if (!dims.empty() && strides.back() == view.dims[axis] * view.strides[axis]) {
      dims.back() *= view.dims[axis];
      strides.back() = view.strides[axis];
    } else {
      dims.push_back(view.dims[axis]);
      strides.push_back(view.strides[axis]);
    }
  }
  view.dims = std::move(dims);
  view.strides = std::move(strides);
}

// The view under another shape, or false when it would be a copy: every merged axis must be a run
// of new ones.
bool reshape_view(StridedView& view, const std::vector<int64_t>& shape) {
  StridedView merged = view;
  merge_axes(merged);
  std::vector<int64_t> strides(shape.size(), 1);
  size_t axis = merged.dims.size();
  int64_t taken = 1;  // of merged axis `axis`, by the new axes so far
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1) continue;
    if (axis == merged.dims.size() || taken == merged.dims[axis]) {
      if (axis == 0) return false;
      --axis;
      taken = 1;
    }
    strides[i] = taken * merged.strides[axis];
    taken *= shape[i];
    if (merged.dims[axis] % taken != 0) return false;
  }
  view.dims = shape;
  view.strides = std::move(strides);
  return true;
}

// `view` of the result of `n`, made from the view of its input; false where n is no view.
bool step(const Node& n, StridedView& view, bool through_scale) {
  if (n.is(op_reshape)) return reshape_view(view, n.out().shape.to_vector());
  if (n.is(op_slice)) {
    const auto axis = static_cast<size_t>(n.integer("axis"));
    view.offset += n.integer("begin") * view.strides[axis];
    view.dims[axis] = n.integer("end") - n.integer("begin");
    return true;
  }
  if (n.is(op_transpose)) {
    const StridedView from = view;
    const std::vector<int64_t>& order = n.integers("permutation");
    for (size_t i = 0; i < order.size(); ++i) {
      view.dims[i] = from.dims[static_cast<size_t>(order[i])];
      view.strides[i] = from.strides[static_cast<size_t>(order[i])];
    }
    return true;
  }
  if (through_scale && n.is(op_mul) && is_full(n.input(1)) && n.out() == n.in(0)) {
    view.scale *= n.input(1).producer()->real("value");
    return true;
  }
  return false;
}

}  // namespace

StridedView strided_view(Value v, bool through_scale) {
  const auto may_be_step = [&](const Node* n) {
    return n != nullptr && n->out().numel() > 0 &&
           (n->is(op_reshape) || n->is(op_slice) || n->is(op_transpose) ||
            (through_scale && n->is(op_mul)));
  };
  std::vector<const Node*> steps;  // the last one first
  for (; may_be_step(v.producer()) && steps.size() < kMostSteps; v = v.producer()->input(0))
    steps.push_back(v.producer());
  StridedView view = dense(v);
  for (auto n = steps.rbegin(); n != steps.rend(); ++n)
    if (!step(**n, view, through_scale)) view = dense((*n)->result());
  return view;
}

}  // namespace grimace
