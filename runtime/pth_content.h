// What the pickle of a .pth file says: which tensors there are and where in which storage their
// elements lie, and the plain values beside them.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/types.h"
#include "runtime/pickle.h"
#include "runtime/safetensors_header.h"  // Metadata

namespace grimace {

struct PthTensor {
  std::string name;  // of the model: as published; any other: its path, "optimizer.state.3.exp_avg"
  bool in_model = false;
  TensorType type;
  std::string storage;                      // the key: entry data/<key> of the container
  int64_t storage_elements = 0;             // as the pickle claims
  int64_t offset = 0;                       // of the first element, in elements
  std::array<int64_t, kMaxRank> strides{};  // in elements, >= 0
  bool is_dense() const;                    // row-major, without gaps
  int64_t span() const;                     // elements of the storage from its first to its last
};

struct PthContent {
  std::string entry;               // that holds the model: "model", "module", or empty: the whole
  std::vector<PthTensor> tensors;  // in the order of the pickle, names unique
  Metadata values;                 // path -> text of numbers, texts and short lists of them
};

// The functions a checkpoint's pickle may name in a call (runtime/pickle.h).
std::span<const std::string_view> pth_callables();

// Error, opening with `where`, unless the root is a mapping with tensors of known element types
// that lie inside their storages.
PthContent read_pth_content(const Pickle& pickle, const std::string& where);

// "FloatStorage": the name of the storage class of an element type, in module torch.
std::string_view storage_class(DType dtype);

}  // namespace grimace
