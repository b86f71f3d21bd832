// PyTorch files (.pth, spec 10.1): reading those of torch.save without Python and without running
// anything in them, and writing such that torch.load(weights_only=True) accepts.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/pth_content.h"
#include "runtime/pth_optimizer.h"
#include "runtime/pth_zip.h"
#include "runtime/safetensors.h"
#include "runtime/tensor.h"

namespace grimace {

// An open file. Opening reads the directory and the pickle alone; tensors are read one by one on
// demand, each storage against its checksum. Errors are one line naming the file and the tensor:
// Error for a file that is missing, damaged, made to harm or of another kind, RunError when the
// disk fails.
class PthFile {
 public:
  explicit PthFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return zip_.file().path(); }
  // The model's tensors under their published names; others under "<top-level entry>.<path>", the
  // optimizer's moments where they can be told as "optimizer.exp_avg.<param>".
  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const { return index_.contains(name); }
  const TensorType& type(std::string_view name) const;  // Error when there is no such tensor
  Tensor tensor(std::string_view name) const;
  // Into memory of the caller; Error when the type differs. After an Error, `into` is undefined.
  void read(std::string_view name, View into) const;
  // Numbers, texts and short lists by their path: "epoch", "args.lg_region_size".
  const Metadata& all_metadata() const { return content_.values; }
  // The top-level entry that holds the model: "model", "module", or empty: the whole file does.
  const std::string& entry() const { return content_.entry; }

 private:
  const PthTensor& find(std::string_view name) const;
  const ZipEntry& storage_of(const PthTensor& tensor) const;
  void check_tensors();
  void verify(const ZipEntry& storage) const;
  void read_strided(const PthTensor& tensor, const ZipEntry& storage, View into) const;

  ZipFile zip_;
  PthContent content_;
  std::vector<std::string> names_;
  std::map<std::string, size_t, std::less<>> index_;
  mutable std::set<const ZipEntry*> verified_;
};

// Writes {"model": {name: tensor, ...}, "metadata": {key: text, ...}}, and tensors of the run
// (runtime/checkpoint.h) under "state". Where every parameter has both moments, "optimizer" is the
// state_dict of torch.optim.AdamW on the published parameter groups, so that its load_state_dict
// continues; otherwise the moments there are, by name. Atomic; RunError on failure.
void save_pth(const std::filesystem::path& path, std::span<const NamedView> tensors,
              const Metadata& metadata, const PthOptimizer& optimizer = {});

}  // namespace grimace
