// The tensors of any file that holds a model: a checkpoint of this program, any .safetensors file,
// a PyTorch .pth file. Which of them it is shows in its content, not in its name.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/pth.h"
#include "runtime/safetensors.h"

namespace grimace {

class Weights {
 public:
  explicit Weights(SafetensorsFile file);
  explicit Weights(PthFile file);

  const std::filesystem::path& path() const;
  // The model's tensors, in file order, without the optimizer's and the run's.
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::string>& all_names() const;
  bool contains(std::string_view name) const;
  const TensorType& type(std::string_view name) const;  // Error when there is no such tensor
  Tensor tensor(std::string_view name) const;           // read now, against its checksum
  const Metadata& metadata() const;                     // its values as text: "epoch", "config"
  bool is_pth() const { return std::holds_alternative<PthFile>(file_); }
  std::string description() const;  // "PyTorch file, entry model, 575 tensors"

 private:
  std::variant<SafetensorsFile, PthFile> file_;
  std::vector<std::string> names_;
};

// Whether the file begins like, or is named like, one that open_weights reads.
bool is_weights_file(const std::filesystem::path& file);

// A file, or a run folder, of which it takes the newest intact checkpoint. Opening reads names and
// sizes alone. Error of one line when there is no such file or it is damaged or of another kind.
Weights open_weights(const std::filesystem::path& path);

}  // namespace grimace
