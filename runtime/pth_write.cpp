// Writing .pth: a pickle of protocol 2 without memo, and a storage entry for each distinct tensor.
#include <array>
#include <bit>
#include <charconv>
#include <tuple>

#include "ir/error.h"
#include "runtime/checkpoint.h"
#include "runtime/pth.h"

namespace grimace {
namespace {

using Order = std::vector<const NamedView*>;

class PickleWriter {
 public:
  PickleWriter() : out_("\x80\x02") {}
  std::string take() { return std::move(out_ += '.'); }

  void begin_dict() { out_ += "}("; }
  void end_dict() { out_ += 'u'; }
  void begin_list() { out_ += "]("; }
  void end_list() { out_ += 'e'; }
  void boolean(bool value) { out_ += value ? '\x88' : '\x89'; }
  void integer(int64_t value) {
    out_ += "\x8a\x08";
    raw(value);
  }
  void real(double value) {  // the one number of a pickle that is stored big-endian
    const auto bits = std::bit_cast<std::array<char, 8>>(value);
    out_ += 'G';
    out_.append(bits.rbegin(), bits.rend());
  }
  void reals(std::initializer_list<double> values) {
    out_ += '(';
    for (const double value : values) real(value);
    out_ += 't';
  }
  void text(std::string_view value) {
    out_ += 'X';
    raw(static_cast<uint32_t>(value.size()));
    out_ += value;
  }
  void tensor(const TensorType& type, const std::string& storage) {
    const std::span dims = type.shape.dims();
    const auto strides = type.shape.strides();
    out_ += "ctorch._utils\n_rebuild_tensor_v2\n((";
    text("storage");
    out_ += cat("ctorch\n", storage_class(type.dtype), "\n");
    text(storage);
    text("cpu");
    integer(type.numel());
    out_ += "tQ";
    integer(0);
    integers(dims);
    integers({strides.data(), dims.size()});
    out_ +=
        "\x89"
        "ccollections\nOrderedDict\n)RtR";  // no gradient wanted, no hooks
  }

 private:
  template <typename T>
  void raw(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void integers(std::span<const int64_t> values) {
    out_ += '(';
    for (const int64_t value : values) integer(value);
    out_ += 't';
  }

  std::string out_;
};

// Tensors at one address are one storage, as for shared parameters in PyTorch.
class Storages {
 public:
  const std::string& key(const ConstView& view) {
    const auto [found, is_new] = keys_.try_emplace({view.data, view.type.bytes(), view.type.dtype},
                                                   std::to_string(views_.size()));
    if (is_new) views_.push_back(view);
    return found->second;
  }
  // One that no other tensor shares.
  std::string own(const ConstView& view) {
    views_.push_back(view);
    return std::to_string(views_.size() - 1);
  }
  const std::vector<ConstView>& views() const { return views_; }

 private:
  std::map<std::tuple<const void*, int64_t, DType>, std::string> keys_;
  std::vector<ConstView> views_;
};

// "optimizer.exp_avg.x" -> entry "optimizer", name "exp_avg.x".
std::pair<std::string, std::string> place(const std::string& name) {
  if (is_model_tensor(name)) return {"model", name};
  const size_t dot = name.find('.');
  return {name.substr(0, dot), name.substr(dot + 1)};
}

constexpr std::string_view kOptimizerEntry = "optimizer";

// The moments of every parameter, in the model's order; none where one lacks them.
struct Moments {
  struct Param {
    NamedShape shape;
    ConstView average, square;
  };
  std::vector<Param> params;
  Tensor step{DType::f32, {}};  // updates done
};

Moments moments_of(std::span<const NamedView> tensors) {
  std::map<std::string_view, ConstView> by_name;
  for (const NamedView& tensor : tensors) by_name.emplace(tensor.name, tensor.view);
  const auto steps = by_name.find(state_tensor("step"));
  Moments moments;
  size_t used = 0, others = 0;
  for (const NamedView& tensor : tensors) {
    if (!is_model_tensor(tensor.name)) {
      others += tensor.name.starts_with(kOptimizerEntry) ? 1 : 0;
      continue;
    }
    const auto average = by_name.find(optimizer_tensor("exp_avg", tensor.name));
    const auto square = by_name.find(optimizer_tensor("exp_avg_sq", tensor.name));
    if (average == by_name.end() || square == by_name.end()) return {};
    moments.params.push_back(
        {{tensor.name, tensor.view.type.shape}, average->second, square->second});
    used += 2;
  }
  if (steps == by_name.end() || steps->second.type.numel() != 1 || used != others) return {};
  convert({{steps->second.type.dtype, {}}, steps->second.data}, moments.step.view());
  return moments;
}

void write_group(PickleWriter& pickle, const OptimizerGroup& group, int64_t first,
                 const PthOptimizer& optimizer) {
  pickle.begin_dict();
  for (const auto& [key, value] : {std::pair{"lr", optimizer.lr * group.group.lr_scale},
                                   {"lr_scale", group.group.lr_scale},
                                   {"eps", optimizer.eps},
                                   {"weight_decay", group.group.weight_decay}}) {
    pickle.text(key);
    pickle.real(value);
  }
  pickle.text("betas");
  pickle.reals({optimizer.beta1, optimizer.beta2});
  for (const char* flag : {"amsgrad", "maximize", "capturable", "differentiable"}) {
    pickle.text(flag);
    pickle.boolean(false);
  }
  pickle.text("params");
  pickle.begin_list();
  for (size_t i = 0; i < group.params.size(); ++i) pickle.integer(first + static_cast<int64_t>(i));
  pickle.end_list();
  pickle.end_dict();
}

// Numbers count through the groups. Each parameter has a step of its own, for PyTorch counts in
// place.
void write_optimizer(PickleWriter& pickle, Storages& storages, const Moments& moments,
                     const PthOptimizer& optimizer) {
  std::vector<NamedShape> shapes;
  for (const Moments::Param& param : moments.params) shapes.push_back(param.shape);
  const auto groups = optimizer_groups(shapes, optimizer.weight_decay, optimizer.layer_decay);
  pickle.text(kOptimizerEntry);
  pickle.begin_dict();
  pickle.text("state");
  pickle.begin_dict();
  int64_t number = 0;
  for (const OptimizerGroup& group : groups)
    for (const size_t i : group.params) {
      const Moments::Param& param = moments.params[i];
      pickle.integer(number++);
      pickle.begin_dict();
      pickle.text("step");
      pickle.tensor(moments.step.type(), storages.own(moments.step.view()));
      pickle.text("exp_avg");
      pickle.tensor(param.average.type, storages.key(param.average));
      pickle.text("exp_avg_sq");
      pickle.tensor(param.square.type, storages.key(param.square));
      pickle.end_dict();
    }
  pickle.end_dict();
  pickle.text("param_groups");
  pickle.begin_list();
  int64_t first = 0;
  for (const OptimizerGroup& group : groups) {
    write_group(pickle, group, first, optimizer);
    first += std::ssize(group.params);
  }
  pickle.end_list();
  pickle.end_dict();
}

// The last whole epoch, from 0, as the authors' program counts. A checkpoint of ours names the
// next.
void write_epoch(PickleWriter& pickle, const Metadata& metadata) {
  const auto text = metadata.find("epoch"), format = metadata.find("format");
  if (text == metadata.end()) return;
  int64_t epoch = -1;
  const char* begin = text->second.data();
  const char* end = begin + text->second.size();
  if (std::from_chars(begin, end, epoch).ptr != end) return;
  if (format != metadata.end() && format->second == "grimace-checkpoint") --epoch;
  if (epoch < 0) return;
  pickle.text("epoch");
  pickle.integer(epoch);
}

}  // namespace

void save_pth(const std::filesystem::path& path, std::span<const NamedView> tensors,
              const Metadata& metadata, const PthOptimizer& optimizer) {
  std::map<std::string, std::vector<std::pair<std::string, ConstView>>> entries;
  const Moments moments = moments_of(tensors);
  for (const NamedView& tensor : tensors) {
    const auto [entry, name] = place(tensor.name);
    if (entry != kOptimizerEntry || moments.params.empty())
      entries[entry].emplace_back(name, tensor.view);
  }
  PickleWriter pickle;
  Storages storages;
  pickle.begin_dict();
  for (const auto& [entry, members] : entries) {
    pickle.text(entry);
    pickle.begin_dict();
    for (const auto& [name, view] : members) {
      pickle.text(name);
      pickle.tensor(view.type, storages.key(view));
    }
    pickle.end_dict();
  }
  if (!moments.params.empty()) write_optimizer(pickle, storages, moments, optimizer);
  pickle.text("metadata");
  pickle.begin_dict();
  for (const auto& [key, value] : metadata) {
    pickle.text(key);
    pickle.text(value);
  }
  pickle.end_dict();
  write_epoch(pickle, metadata);
  pickle.end_dict();

  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  ZipWriter zip(path, "archive");
  zip.add("data.pkl", bytes(pickle.take()));
  zip.add("byteorder", bytes("little"));
  for (size_t i = 0; i < storages.views().size(); ++i) {
    const ConstView& view = storages.views()[i];
    zip.add("data/" + std::to_string(i),
            {static_cast<const std::byte*>(view.data), static_cast<size_t>(view.type.bytes())});
  }
  zip.add("version", bytes("3\n"));
  zip.commit();
}

}  // namespace grimace
