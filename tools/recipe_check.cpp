// Whether the settings of a recipe fit together. Each message names the keys and their numbers.
#include "data/masks.h"
#include "ir/error.h"
#include "tools/recipe_model.h"

namespace grimace {
namespace {

std::string size_text(const Recipe::Size3& s) {
  return cat(s[0], "x", s[1], "x", s[2]);
}

// Tokens of a clip: time, rows, columns.
Recipe::Size3 grid_of(const Recipe::Model& m) {
  return {m.frames / m.tubelet, m.image / m.patch, m.image / m.patch};
}

void divides(const char* part_key, int64_t part, const char* whole_key, int64_t whole) {
  check(whole % part == 0, part_key, " = ", part, " must divide ", whole_key, " = ", whole);
}

void validate_model(const Recipe::Model& m) {
  divides("model.patch", m.patch, "model.image", m.image);
  divides("model.tubelet", m.tubelet, "model.frames", m.frames);
  divides("model.heads", m.heads, "model.embed_dim", m.embed_dim);
  if (!is_classifier(m.name))
    divides("model.decoder_heads", m.decoder_heads, "model.decoder_dim", m.decoder_dim);
  if (m.attn_type != "local_global") return;
  const Recipe::Size3 grid = grid_of(m);
  for (size_t axis = 0; axis < 3; ++axis)
    check(grid[axis] % m.region[axis] == 0, "model.region = ", size_text(m.region),
          " must tile the token grid ", size_text(grid), " (model.frames = ", m.frames,
          ", model.image = ", m.image, ")");
}

void validate_target(const Recipe& r) {
  const Recipe::Target& target = r.target;
  if (target.frame_diff)
    divides("target.group_size", target.group_size, "model.frames", r.model.frames);
  if (target.diff_weight)
    check(target.frame_diff && target.group_size == 2 && r.model.tubelet == 2,
          "target.diff_weight = ", *target.diff_weight,
          " needs target.frame_diff, target.group_size = 2 and model.tubelet = 2; got ",
          target.frame_diff ? "true" : "false", ", ", target.group_size, ", ", r.model.tubelet);
}

void validate_optim(const Recipe::Optim& o) {
  check(o.min_lr <= o.lr, "optim.min_lr = ", o.min_lr, " is above optim.lr = ", o.lr);
  check(o.steps == 0 || o.warmup_steps < o.steps, "optim.warmup_steps = ", o.warmup_steps,
        " must be below optim.steps = ", o.steps);
  check(o.steps > 0 || o.warmup_steps > 0 || o.warmup_epochs < static_cast<double>(o.epochs),
        "optim.warmup_epochs = ", o.warmup_epochs, " must be below optim.epochs = ", o.epochs);
}

}  // namespace

void validate(const Recipe& recipe) {
  validate_model(recipe.model);
  const Recipe::Data& data = recipe.data;
  check(data.classes.empty() || recipe.model.classes == 0 ||
            recipe.model.classes == std::ssize(data.classes),
        "data.classes names ", data.classes.size(),
        " classes but model.classes = ", recipe.model.classes);
  if (!is_classifier(recipe.model.name)) {
    MaskGenerator{mask_config(recipe)};  // its constructor checks
    validate_target(recipe);
  }
  validate_optim(recipe.optim);
  check(recipe.run.backend != "reference" || recipe.run.precision == "f32",
        "run.precision = ", recipe.run.precision,
        " needs run.backend = cpu or cuda; reference computes f32");
  check(recipe.run.backend == "cuda" || recipe.run.precision != "tf32",
        "run.precision = tf32 needs run.backend = cuda");
}

}  // namespace grimace
