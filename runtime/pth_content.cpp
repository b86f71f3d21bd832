// A walk over the pickle's tree, bounded in steps and depth because the tree may share and hold
// itself; each call that would build a tensor in Python is checked and noted.
#include "runtime/pth_content.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "ir/error.h"

namespace grimace {
namespace {

using Kind = PickleNode::Kind;

constexpr int64_t kMaxSteps = 100'000;
constexpr int kMaxDepth = 50;
constexpr size_t kMaxPath = 500;
constexpr size_t kMaxText = 64 << 10;
constexpr size_t kMaxValueBytes = 4 << 20;  // of all values together
constexpr size_t kLongestList = 16;         // that is kept as a value

constexpr std::string_view kOrderedDict = "collections.OrderedDict";
constexpr std::string_view kTensor2 = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kTensor = "torch._utils._rebuild_tensor";
constexpr std::string_view kParameter = "torch._utils._rebuild_parameter";
constexpr std::string_view kParameterState = "torch._utils._rebuild_parameter_with_state";

// Beside tensors: the harmless values that settings of a run are known to hold.
constexpr std::string_view kCallables[] = {
    kOrderedDict,
    kTensor2,
    kTensor,
    kParameter,
    kParameterState,
    "torch.Size",
    "torch.device",
    "torch.serialization._get_layout",
    "torch.torch_version.TorchVersion",
    "_codecs.encode",
    "builtins.set",
    "builtins.frozenset",
    "builtins.bytearray",
    "__builtin__.set",
    "__builtin__.frozenset",
    "__builtin__.bytearray",
    "collections.defaultdict",
    "collections.Counter",
    "collections.deque",
    "datetime.datetime",
    "datetime.date",
    "datetime.timedelta",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib.PurePosixPath",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
    "numpy.dtype",
    "numpy.core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
};

struct StorageClass {
  std::string_view name;
  DType dtype;
};
constexpr StorageClass kStorageClasses[] = {
    {"FloatStorage", DType::f32},  {"BFloat16Storage", DType::bf16}, {"HalfStorage", DType::f16},
    {"DoubleStorage", DType::f64}, {"IntStorage", DType::i32},       {"LongStorage", DType::i64},
    {"ByteStorage", DType::u8},    {"BoolStorage", DType::boolean}};

class Walk {
 public:
  Walk(const Pickle& pickle, const std::string& where) : pickle_(pickle), where_(where) {}

  PthContent run() {
    const PickleRef root = pickle_.root();
    check(pickle_.is_mapping(root), where_,
          ": holds no dict of named tensors; save a state_dict, or a dict with an entry model");
    for (const char* entry : {"model", "module"})
      if (content_.entry.empty() && holds_mapping(root, entry)) content_.entry = entry;
    const std::vector<PickleRef>& items = pickle_[root].items;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      const std::string key = text_of(items[i]);
      const bool is_own = key == content_.entry || key == "metadata";
      in_model_ = key == content_.entry || content_.entry.empty();
      visit(is_own ? "" : key, items[i + 1], 1);
    }
    check(std::ranges::any_of(content_.tensors, &PthTensor::in_model), where_, ": holds no tensors",
          content_.entry.empty() ? "" : " in its entry " + content_.entry);
    return std::move(content_);
  }

 private:
  bool holds_mapping(PickleRef dict, std::string_view key) const {
    const PickleRef value = pickle_.find(dict, key);
    return value != kNoPickle && pickle_.is_mapping(value);
  }

  void visit(const std::string& path, PickleRef ref, int depth) {
    check(++steps_ <= kMaxSteps && depth <= kMaxDepth && path.size() <= kMaxPath, where_,
          ": its values at ", quoted_name(path),
          " are nested or repeated beyond what a checkpoint holds; the file is made to harm");
    const PickleNode& node = pickle_[ref];
    if (const PickleRef tensor = as_tensor(ref); tensor != kNoPickle) {
      add_tensor(path, tensor);
    } else if (pickle_.is_mapping(ref)) {
      for (size_t i = 0; i + 1 < node.items.size(); i += 2)
        visit(join(path, text_of(node.items[i])), node.items[i + 1], depth + 1);
    } else if (node.kind == Kind::object && node.state != kNoPickle) {
      visit(path, node.state, depth + 1);
    } else if (const auto text = value_text(ref, kLongestList); text) {
      add_value(path, *text);
    } else if (node.kind == Kind::list || node.kind == Kind::tuple) {
      for (size_t i = 0; i < node.items.size(); ++i)
        if (!is_scalar(pickle_[node.items[i]].kind))
          visit(join(path, std::to_string(i)), node.items[i], depth + 1);
    }
  }

  static std::string join(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
  }
  static bool is_scalar(Kind kind) {
    return kind == Kind::none || kind == Kind::boolean || kind == Kind::integer ||
           kind == Kind::real || kind == Kind::text;
  }

  // A number or text as Python prints it; a list of at most `longest` of those. Nothing otherwise.
  std::optional<std::string> value_text(PickleRef ref, size_t longest) const {
    const PickleNode& node = pickle_[ref];
    switch (node.kind) {
      case Kind::none:
        return "None";
      case Kind::boolean:
        return node.integer != 0 ? "True" : "False";
      case Kind::integer:
        return std::to_string(node.integer);
      case Kind::real: {
        char digits[32];
        return std::string(digits, std::to_chars(digits, std::end(digits), node.real).ptr);
      }
      case Kind::text:
        return std::string(node.text.substr(0, kMaxText));
      case Kind::list:
      case Kind::tuple: {
        if (node.items.size() > longest) return std::nullopt;
        std::string list;
        for (const PickleRef item : node.items) {
          const auto text = value_text(item, 0);
          if (!text || !is_scalar(pickle_[item].kind)) return std::nullopt;
          list += (list.empty() ? "" : ", ") + *text;
        }
        return "[" + list + "]";
      }
      default:
        return std::nullopt;
    }
  }
  void add_value(const std::string& path, const std::string& text) {
    value_bytes_ += path.size() + text.size();
    check(value_bytes_ <= kMaxValueBytes, where_, ": holds more than ", kMaxValueBytes,
          " bytes of settings; the file is made to harm");
    content_.values.emplace(path, text);
  }

  std::string text_of(PickleRef ref) const {
    const auto text = value_text(ref, 0);
    return text ? text->substr(0, kMaxPath) : "?";
  }

  // The call that makes the tensor, through the parameter that may wrap it.
  PickleRef as_tensor(PickleRef ref) const {
    for (int wrapped = 0; wrapped < 3; ++wrapped) {
      if (pickle_[ref].kind != Kind::call) return kNoPickle;
      const std::string_view callee = pickle_.callee(ref);
      if (callee == kTensor2 || callee == kTensor) return ref;
      if (callee != kParameter && callee != kParameterState) return kNoPickle;
      const std::vector<PickleRef>& arguments = pickle_[pickle_[ref].argument].items;
      if (arguments.empty()) return kNoPickle;
      ref = arguments[0];
    }
    return kNoPickle;
  }

  // (storage, offset, shape, strides, ...)
  void add_tensor(const std::string& name, PickleRef call) {
    const std::string where = cat(where_, ": tensor ", quoted_name(name));
    const std::vector<PickleRef>& arguments = pickle_[pickle_[call].argument].items;
    check(arguments.size() >= 4, where, ": has ", arguments.size(), " parts; expected 4 or more");
    PthTensor tensor;
    tensor.name = name;
    tensor.in_model = in_model_;
    tensor.type.dtype = read_storage(tensor, arguments[0], where);
    const std::vector<int64_t> shape = integers(arguments[2], where);
    const std::vector<int64_t> strides = integers(arguments[3], where);
    try {
      tensor.type.shape = Shape(shape);
    } catch (const Error& error) {
      throw Error(cat(where, ": ", error.what()));
    }
    tensor.offset = integer(arguments[1], where);
    check(strides.size() == shape.size(), where, ": has ", shape.size(), " dimensions and ",
          strides.size(), " strides");
    std::ranges::copy(strides, tensor.strides.begin());
    check_extent(tensor, where);
    check(names_.insert(name).second, where, ": is there twice");
    content_.tensors.push_back(std::move(tensor));
  }

  // ("storage", class, key, device, elements)
  DType read_storage(PthTensor& tensor, PickleRef ref, const std::string& where) const {
    const PickleNode& node = pickle_[ref];
    const std::vector<PickleRef> none;
    const auto& id = node.kind == Kind::persistent ? pickle_[node.argument].items : none;
    check(id.size() == 5 && pickle_[id[0]].text == "storage" &&
              pickle_[id[1]].kind == Kind::global && pickle_[id[2]].kind == Kind::text,
          where, ": names no storage");
    tensor.storage = std::string(pickle_[id[2]].text.substr(0, kMaxPath));
    tensor.storage_elements = integer(id[4], where);
    std::string_view name = pickle_[id[1]].text;
    if (name.starts_with("torch.")) name.remove_prefix(6);
    for (const StorageClass& known : kStorageClasses)
      if (known.name == name) return known.dtype;
    throw Error(cat(where, ": element type ", quoted_name(name),
                    " is not known; known are float32, bfloat16, float16, float64, int32, int64, "
                    "uint8 and bool"));
  }

  void check_extent(const PthTensor& tensor, const std::string& where) const {
    int64_t last = tensor.offset;
    bool fits = tensor.offset >= 0 && tensor.storage_elements >= 0 &&
                tensor.type.numel() <= tensor.storage_elements;
    for (int i = 0; i < tensor.type.shape.rank() && fits; ++i) {
      const int64_t stride = tensor.strides[static_cast<size_t>(i)];
      const int64_t steps = std::max<int64_t>(tensor.type.shape[i] - 1, 0);
      int64_t reach = 0;
      fits = stride >= 0 && !__builtin_mul_overflow(steps, stride, &reach) &&
             !__builtin_add_overflow(last, reach, &last);
    }
    check(fits && (tensor.type.numel() == 0 || last < tensor.storage_elements), where, ": ",
          tensor.type, " from element ", tensor.offset, " does not lie in its storage of ",
          tensor.storage_elements, " elements; the file is damaged or made to harm");
  }

  int64_t integer(PickleRef ref, const std::string& where) const {
    check(pickle_[ref].kind == Kind::integer, where,
          ": has something other than a whole number among its sizes");
    return pickle_[ref].integer;
  }
  std::vector<int64_t> integers(PickleRef ref, const std::string& where) const {
    const PickleNode& node = pickle_[ref];
    check((node.kind == Kind::tuple || node.kind == Kind::list) && node.items.size() <= kMaxRank,
          where, ": its shape is no list of at most ", kMaxRank, " sizes");
    std::vector<int64_t> result;
    for (const PickleRef item : node.items) result.push_back(integer(item, where));
    return result;
  }

  const Pickle& pickle_;
  const std::string& where_;
  PthContent content_;
  std::set<std::string> names_;
  bool in_model_ = false;  // whether the walk is inside the entry of the model
  int64_t steps_ = 0;
  size_t value_bytes_ = 0;
};

}  // namespace

bool PthTensor::is_dense() const {
  const auto dense = type.shape.strides();
  for (int i = 0; i < type.shape.rank(); ++i) {
    const auto axis = static_cast<size_t>(i);
    if (type.shape[i] > 1 && strides[axis] != dense[axis]) return false;
  }
  return true;
}

int64_t PthTensor::span() const {
  if (type.numel() == 0) return 0;
  int64_t last = 0;
  for (int i = 0; i < type.shape.rank(); ++i)
    last += (type.shape[i] - 1) * strides[static_cast<size_t>(i)];
  return last + 1;
}

std::span<const std::string_view> pth_callables() {
  return kCallables;
}

PthContent read_pth_content(const Pickle& pickle, const std::string& where) {
  return Walk(pickle, where).run();
}

std::string_view storage_class(DType dtype) {
  return std::ranges::find(kStorageClasses, dtype, &StorageClass::dtype)->name;
}

}  // namespace grimace
