"""PyTorch on a GPU: settings, clock, memory, and a step recorded as a CUDA graph."""

import time
from itertools import pairwise

import torch


class Gpu:
    """Steps follow each other without the host waiting in between, as in a training loop that logs
    now and then; the device's own clock marks where each ends.
    """

    peak_shape = (8192, 8192, 8192)
    precisions = ("f32", "tf32", "bf16")

    def __init__(self, ordinal):
        if not torch.cuda.is_available():
            raise SystemExit("PyTorch sees no GPU")
        self.device = f"cuda:{ordinal}"
        torch.cuda.set_device(ordinal)

    def use(self, precision, variant):
        # Products alone: the model has no convolution.
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        if variant is not None and variant.has("cudnn"):  # and an error where cuDNN cannot
            torch.backends.cuda.enable_flash_sdp(False)
            torch.backends.cuda.enable_mem_efficient_sdp(False)
            torch.backends.cuda.enable_math_sdp(False)
            torch.backends.cuda.enable_cudnn_sdp(True)

    def started(self):
        return torch.cuda.memory_allocated() / 2**20

    def time_steps(self, step, warmup, steps):
        for _ in range(warmup):
            step()
        torch.cuda.synchronize()
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
        start = time.perf_counter()
        marks[0].record()
        for mark in marks[1:]:
            step()
            mark.record()
        torch.cuda.synchronize()
        wall = time.perf_counter() - start
        return [a.elapsed_time(b) / 1000 for a, b in pairwise(marks)], wall

    def memory(self):
        """What PyTorch's allocator held at most, and the tensors in it, since the process began."""
        return {
            "peak_mb": torch.cuda.max_memory_reserved() / 2**20,
            "allocated_mb": torch.cuda.max_memory_allocated() / 2**20,
        }


def record(work):
    """`work` as one CUDA graph: a function that replays it and returns its results' tensors."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # kernels are compiled and chosen before the recording
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()

    def replay():
        graph.replay()
        return result

    return replay
