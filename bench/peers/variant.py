"""How a peer runs: words joined by '-', as in `compile-sdpa-graph`.

  eager, sdpa, cudnn   attention: products and softmax; PyTorch's own choice of a fused kernel; cuDNN's
  compile              torch.compile; with `max` it also times other kernels, with `overhead` it
                       records CUDA graphs of its own
  graph                the whole step is recorded as one CUDA graph and replayed
  cast                 inference: the weights are converted to bf16 once

`graph`, `overhead`, `max` and `cudnn` need a GPU. `compile` alone has attention as in `eager`.
"""

from dataclasses import dataclass

WORDS = ("eager", "sdpa", "cudnn", "compile", "max", "overhead", "graph", "cast")
GPU_WORDS = {"cudnn", "max", "overhead", "graph"}


@dataclass(frozen=True)
class Variant:
    words: frozenset

    def has(self, word):
        return word in self.words

    @property
    def sdpa(self):
        return bool(self.words & {"sdpa", "cudnn"})

    @property
    def needs_gpu(self):
        return bool(self.words & GPU_WORDS)

    @property
    def compile_mode(self):
        """None: not compiled."""
        if not self.has("compile"):
            return None
        if self.has("overhead"):
            return "reduce-overhead"
        # Inductor's own CUDA graphs would be recorded inside ours.
        return "max-autotune-no-cudagraphs" if self.has("max") else "default"


def parse_variant(name):
    """The variant of that name; ValueError when there is none."""
    words = name.split("-")
    unknown = [word for word in words if word not in WORDS]
    if unknown or len(set(words)) != len(words):
        raise ValueError(f"'{name}' is not made of the words {', '.join(WORDS)}, each once")
    variant = Variant(frozenset(words))
    if not variant.words & {"eager", "sdpa", "cudnn", "compile"}:
        raise ValueError(f"'{name}' says nothing of attention: eager, sdpa, cudnn or compile")
    if variant.words & {"max", "overhead"} and not variant.has("compile"):
        raise ValueError(f"'{name}': max and overhead are settings of compile")
    if variant.has("graph") and variant.has("overhead"):
        raise ValueError(f"'{name}': graph and overhead both record; choose one")
    return variant
