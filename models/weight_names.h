// Which tensor of a file belongs to which parameter of a model (spec 7.1), and which model the
// names and shapes in a file are those of (spec 10).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ir/types.h"
#include "models/parameters.h"

namespace grimace {

struct NamedType {
  std::string name;
  TensorType type;
};

// What loading a file into a model does, tensor by tensor.
struct LoadReport {
  struct Mismatch {
    std::string param;
    Shape wanted;
    Shape found;
  };
  std::vector<std::pair<std::string, std::string>> matched;  // parameter, name in the file
  std::vector<std::string> missing;                          // parameters the file has not
  std::vector<std::string> unexpected;                       // names of the file with no parameter
  std::vector<Mismatch> mismatched;                          // both have it, in other shapes
};

// A name of the file is a parameter's as it stands, or without a leading "backbone." or "encoder.",
// which turns a pre-trained encoder into a classifier's.
LoadReport match_weights(std::span<const ParamSpec> wanted, std::span<const NamedType> found);

// One line: "519 of 519 parameters", or counts of the rest with the first names of each kind.
std::string to_string(const LoadReport& report);

// The model a file holds, as far as names and shapes tell: heads are taken to be 64 wide, clips as
// published. Nothing when they are not those of a model of spec 10.
std::optional<NamedModel> recognise_model(std::span<const NamedType> found);
// "LGI-Former pre-training model, width 512, 16 blocks, 8 regions, decoder width 384, 4 blocks"
std::string describe(const NamedModel& model);

// What may stay as it was initialised.
enum class LoadRule {
  all,      // nothing: every parameter must be in the file
  encoder,  // the classifier's own fc_norm and head, when it starts from pre-training
};
// Error, opening with `where`, that says what the file holds and what was wanted, unless the report
// satisfies the rule.
void require_fit(const LoadReport& report, LoadRule rule, std::span<const NamedType> found,
                 const NamedModel& wanted, const std::string& where);

}  // namespace grimace
